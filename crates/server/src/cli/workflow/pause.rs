use clap::Args;
use serde_json::json;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Pauses a workflow: new runs of it wait. Runs that have begun go on.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Its name or id.
    workflow: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Pause {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/workflows/{}/pause", segment(&self.workflow));
        client.expect(Question::post(&path, &json!({ "reason": self.reason }))).await?;
        exit::message(&format!("{}: paused", self.workflow));
        Ok(Exit::Ok)
    }
}
