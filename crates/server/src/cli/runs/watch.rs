use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::list::standing;
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, output};
use crate::client::{Client, Question, segment};

/// How long to wait before looking again at a run that has no news.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// Shows a run's events as they happen, until it is over. Exits with 1 if it failed.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Its id or external id.
    run: String,
    #[command(flatten)]
    connect: Connect,
}

impl Watch {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}", segment(&self.run));
        let mut after = 0;
        loop {
            // The status first: what happened before it is then among the events.
            let run = client.expect(Question::get(&path)).await?;
            after = tell(&client, &path, after).await?;
            let is_over =
                matches!(run["status"].as_str(), Some("succeeded" | "failed" | "cancelled"));
            if is_over {
                output::line(&format!("{} {}", cell(&run, "finished_at"), standing(&run)));
                return Ok(Exit::of_status(run["status"].as_str().unwrap_or_default()));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Shows the events behind one, and answers with the number of the last.
async fn tell(client: &Client, path: &str, mut after: u64) -> anyhow::Result<u64> {
    loop {
        let page = format!("{path}/events?limit=1000&after={after}");
        let answer = client.expect(Question::get(&page)).await?;
        let events = answer["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            output::line(&sentence(event));
            after = event["seq"].as_u64().unwrap_or(after);
        }
        if answer["next_cursor"].is_null() {
            return Ok(after);
        }
    }
}

fn sentence(event: &Value) -> String {
    let mut text = format!("{} {}", cell(event, "at"), cell(event, "type"));
    if let Some(path) = event["path"].as_str() {
        text.push_str(&format!(" {path}"));
    }
    if let Some(attempt) = event["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(" attempt {attempt}"));
    }
    if let Some(message) = event["error"]["message"].as_str() {
        text.push_str(&format!(": {message}"));
    }
    text
}
