use axum::http::Method;
use clap::Args;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Client, Question, segment};

/// Deletes a template. Instances of it stay.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Its id or name.
    template: String,
    #[command(flatten)]
    connect: Connect,
}

impl Delete {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        delete(&self.connect.client().await?, &self.template).await?;
        Ok(Exit::Ok)
    }
}

/// Deletes a template, and says so.
///
/// # Errors
///
/// That there is none.
pub(super) async fn delete(client: &Client, name: &str) -> anyhow::Result<()> {
    let path = format!("/api/v1/templates/{}", segment(name));
    let question =
        Question { method: Method::DELETE, path: &path, body: None, headers: Vec::new() };
    client.expect(question).await?;
    exit::message(&format!("`{name}` is deleted"));
    Ok(())
}
