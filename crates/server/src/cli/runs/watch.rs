use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::list::standing;
use crate::cli::output::{cell, time};
use crate::cli::{Connect, Exit, exit, output};
use crate::client::{Client, Question, Refusal, segment};

/// How long to wait before looking again at a run that has no news.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// How long a server that was there may be gone.
const GONE_TIME_MAX: Duration = Duration::from_secs(60);

/// Shows a run's events as they happen, until it is over. Exits with 1 if it failed.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    #[command(flatten)]
    connect: Connect,
}

impl Watch {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        watch(&client, &self.run).await
    }
}

/// Shows the events of the run of this id or external id until it is over.
///
/// # Errors
///
/// If the server refuses, or is gone for longer than a restart takes.
pub(crate) async fn watch(client: &Client, run: &str) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/runs/{}", segment(run));
    let (mut after, mut gone_since) = (0, None);
    loop {
        match look(client, &path, &mut after).await {
            Ok(Some(exit)) => return Ok(exit),
            Ok(None) => gone_since = None,
            // A server that restarts is worth waiting for; an answer is an answer.
            Err(error) if error.downcast_ref::<Refusal>().is_some() || after == 0 => {
                return Err(error);
            }
            Err(error) => {
                let since = *gone_since.get_or_insert_with(|| {
                    exit::message(&format!("{error:#}; trying again"));
                    Instant::now()
                });
                if since.elapsed() > GONE_TIME_MAX {
                    return Err(error);
                }
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Shows what is new; says how the run ended if it has.
async fn look(client: &Client, path: &str, after: &mut u64) -> anyhow::Result<Option<Exit>> {
    // The status first: what happened before it is then among the events.
    let run = client.expect(Question::get(path)).await?;
    tell(client, path, after).await?;
    let status = run["status"].as_str().unwrap_or_default();
    if !matches!(status, "succeeded" | "failed" | "cancelled") {
        return Ok(None);
    }
    output::line(&format!("{}  {}", time(&run, "finished_at"), standing(&run)));
    Ok(Some(Exit::of_status(status)))
}

/// Shows the events behind one, and moves it on to the last that was shown.
async fn tell(client: &Client, path: &str, after: &mut u64) -> anyhow::Result<()> {
    loop {
        let page = format!("{path}/events?limit=1000&after={after}");
        let answer = client.expect(Question::get(&page)).await?;
        let events = answer["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            output::line(&sentence(event));
            *after = event["seq"].as_u64().unwrap_or(*after);
        }
        if answer["next_cursor"].is_null() {
            return Ok(());
        }
    }
}

/// When, what, which step, and what went wrong.
fn sentence(event: &Value) -> String {
    let what = cell(event, "type").replace('_', " ");
    let path = event["path"].as_str().unwrap_or_default();
    let mut text = format!("{}  {what:<20}  {path}", time(event, "at"));
    if let Some(attempt) = event["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(", attempt {attempt}"));
    }
    if let Some(message) = event["error"]["message"].as_str() {
        text.push_str(&format!(": {message}"));
    }
    text.trim_end().to_owned()
}
