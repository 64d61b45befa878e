use axum::http::Method;
use clap::Args;
use serde_json::json;

use super::output::{cell, time};
use super::{Connect, Exit, exit, output};
use crate::client::Question;

/// Stops everything, lets it go on, or says whether it is stopped.
#[derive(Debug, Args)]
pub(crate) struct Halt {
    /// Lets everything go on.
    #[arg(long, conflicts_with_all = ["status", "reason"])]
    release: bool,
    /// Only says how it is.
    #[arg(long, conflicts_with = "reason")]
    status: bool,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Halt {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        const PATH: &str = "/api/v1/halt";
        let client = self.connect.client().await?;
        let question = match (self.status, self.release) {
            (true, _) => Question::get(PATH),
            (_, true) => Question { method: Method::DELETE, ..Question::get(PATH) },
            _ => {
                let body = json!({ "reason": self.reason });
                Question { method: Method::PUT, ..Question::post(PATH, &body) }
            }
        };
        let halt = client.expect(question).await?;
        if halt["halted"] != true {
            exit::message("everything goes on");
            return Ok(Exit::Ok);
        }
        let reason = halt["reason"].as_str().filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let (by, at) = (cell(&halt, "by"), time(&halt, "at"));
        output::line(&format!("everything is stopped, by {by} at {at}{reason}"));
        Ok(Exit::Ok)
    }
}
