use clap::Args;
use serde_json::json;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, input, output};
use crate::client::{Question, segment};

/// Runs a run's workflow again, as a new run. Prints the new run's id.
#[derive(Debug, Args)]
pub(crate) struct Rerun {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Another input: `key=value`, `@FILE`, or `-`. Left out: the same.
    #[arg(short, long, value_name = "PART")]
    input: Vec<String>,
    /// Begins at this step and reuses the rest; `failed` begins at what has not succeeded.
    #[arg(long, value_name = "STEP", conflicts_with = "newest")]
    from: Option<String>,
    /// Runs the workflow's newest version instead of the one that ran.
    #[arg(long)]
    newest: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Rerun {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut body = json!({ "newest": self.newest });
        if let Some(from) = self.from {
            body["from"] = from.into();
        }
        if !self.input.is_empty() {
            body["input"] = input::read(&self.input)?;
        }
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}/rerun", segment(&self.run));
        let run = client.expect(Question::post(&path, &body)).await?;
        output::line(&cell(&run, "id"));
        Ok(Exit::Ok)
    }
}
