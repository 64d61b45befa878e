use axum::http::Method;
use clap::Args;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Forgets a secret.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Its name.
    name: String,
    #[command(flatten)]
    connect: Connect,
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/secrets/{}", segment(&self.name));
        client.expect(Question { method: Method::DELETE, ..Question::get(&path) }).await?;
        exit::message(&format!("{} is forgotten", self.name));
        Ok(Exit::Ok)
    }
}
