use clap::Args;
use serde_json::json;

use super::list::standing;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Cancels a run. What it has begun it cleans up and undoes.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Cancel {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        stop("cancel", &self.run, self.reason, &self.connect).await
    }
}

/// Tells a run to stop, by one word of the API or another.
pub(super) async fn stop(
    how: &str,
    run: &str,
    reason: Option<String>,
    connect: &Connect,
) -> anyhow::Result<Exit> {
    let client = connect.client().await?;
    let path = format!("/api/v1/runs/{}/{how}", segment(run));
    let answer = client.expect(Question::post(&path, &json!({ "reason": reason }))).await?;
    exit::message(&format!("{run}: {}", standing(&answer)));
    Ok(Exit::Ok)
}
