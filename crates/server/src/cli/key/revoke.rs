use axum::http::Method;
use clap::Args;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Takes a key back. It is good for nothing from then on.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Its id.
    key: String,
    #[command(flatten)]
    connect: Connect,
}

impl Revoke {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/keys/{}", segment(&self.key));
        let question =
            Question { method: Method::DELETE, path: &path, body: None, headers: Vec::new() };
        client.expect(question).await?;
        exit::message(&format!("{}: taken back", self.key));
        Ok(Exit::Ok)
    }
}
