use clap::Args;
use serde_json::json;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Ends the pause of a workflow: the runs that wait for it begin.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Its name or id.
    workflow: String,
    #[command(flatten)]
    connect: Connect,
}

impl Resume {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/workflows/{}/resume", segment(&self.workflow));
        client.expect(Question::post(&path, &json!({}))).await?;
        exit::message(&format!("{}: goes on", self.workflow));
        Ok(Exit::Ok)
    }
}
