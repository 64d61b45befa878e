use clap::Args;
use serde_json::json;

use super::list::standing;
use super::signal::text_or_json;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Settles a step by hand, and the run goes on.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    /// The run's id, the last 12 characters of it, or its external id.
    run: String,
    /// The step's path.
    step: String,
    /// It has succeeded, with this output: JSON, or a text.
    #[arg(long, value_name = "OUTPUT", num_args = 0..=1, default_missing_value = "null",
          required_unless_present = "skipped", conflicts_with = "skipped")]
    succeeded: Option<String>,
    /// It is not needed.
    #[arg(long)]
    skipped: bool,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Mark {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let body = match &self.succeeded {
            Some(text) => {
                let output = text_or_json(text);
                json!({ "status": "succeeded", "output": output, "reason": self.reason })
            }
            None => json!({ "status": "skipped", "reason": self.reason }),
        };
        let client = self.connect.client().await?;
        let (run, step) = (segment(&self.run), segment(&self.step));
        let path = format!("/api/v1/runs/{run}/steps/{step}/mark");
        let run = client.expect(Question::post(&path, &body)).await?;
        exit::message(&format!("{}: {}", self.run, standing(&run)));
        Ok(Exit::Ok)
    }
}
