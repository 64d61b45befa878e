use clap::Args;
use serde_json::json;

use super::list::standing;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Ends a run at once: nothing is cleaned up and nothing undone.
#[derive(Debug, Args)]
pub(crate) struct Terminate {
    /// Its id or external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Terminate {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}/terminate", segment(&self.run));
        let body = json!({ "reason": self.reason });
        let run = client.expect(Question::post(&path, &body)).await?;
        exit::message(&format!("{}: {}", self.run, standing(&run)));
        Ok(Exit::Ok)
    }
}
