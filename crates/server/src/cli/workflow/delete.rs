use axum::http::Method;
use clap::Args;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Deletes a workflow. Its runs stay.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Its id or name.
    workflow: String,
    #[command(flatten)]
    connect: Connect,
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/workflows/{}", segment(&self.workflow));
        let question =
            Question { method: Method::DELETE, path: &path, body: None, headers: Vec::new() };
        client.expect(question).await?;
        exit::message(&format!("`{}` is deleted", self.workflow));
        Ok(Exit::Ok)
    }
}
