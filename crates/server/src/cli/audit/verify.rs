use clap::Args;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, exit};
use crate::client::Question;

/// Looks for records that are not as they were written. Exits with 3 if there is one.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    connect: Connect,
}

impl Verify {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let found = client.expect(Question::get("/api/v1/audit/verify")).await?;
        if found["ok"] == true {
            exit::message(&format!(
                "{} records, all as they were written",
                cell(&found, "checked")
            ));
            return Ok(Exit::Ok);
        }
        let seq = cell(&found, "first_altered");
        exit::message(&format!("record {seq} is the first that is not as it was written"));
        Ok(Exit::CheckFailed)
    }
}
