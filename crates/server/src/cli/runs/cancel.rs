use clap::Args;
use serde_json::json;

use super::list::standing;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Cancels a run. What it has begun it cleans up and undoes.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Its id or external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Cancel {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}/cancel", segment(&self.run));
        let body = json!({ "reason": self.reason });
        let run = client.expect(Question::post(&path, &body)).await?;
        exit::message(&format!("{}: {}", self.run, standing(&run)));
        Ok(Exit::Ok)
    }
}
