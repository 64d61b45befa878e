use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::list::standing;
use crate::cli::output::time;
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
    let (mut story, mut gone_since) = (Story::default(), None);
    loop {
        match look(client, &path, &mut story).await {
            Ok(Some(exit)) => return Ok(exit),
            Ok(None) => gone_since = None,
            // A server that restarts is worth waiting for; an answer is an answer.
            Err(error) if error.downcast_ref::<Refusal>().is_some() || story.after == 0 => {
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

/// What somebody who watches a run has been told.
#[derive(Default)]
struct Story {
    /// The number of the last event.
    after: u64,
    /// What an event has said of the run as a whole that went wrong.
    error: Option<Value>,
}

/// Shows what is new; says how the run ended if it has.
async fn look(client: &Client, path: &str, story: &mut Story) -> anyhow::Result<Option<Exit>> {
    // The status first: what happened before it is then among the events.
    let run = client.expect(Question::get(path)).await?;
    tell(client, path, story).await?;
    let status = run["status"].as_str().unwrap_or_default();
    if !matches!(status, "succeeded" | "failed" | "cancelled") {
        return Ok(None);
    }
    let mut end = format!("{}  {}", time(&run, "finished_at"), standing(&run));
    // A run that is driven elsewhere may fail by what its events add up to, and none says so.
    let is_told = story.error.as_ref() == Some(&run["error"]["message"]);
    if let Some(error) = output::error(&run["error"]).filter(|_| !is_told) {
        end.push_str(&format!(": {error}"));
    }
    output::line(&end);
    Ok(Some(Exit::of_status(status)))
}

/// Shows the events behind one, and moves it on to the last that was shown.
async fn tell(client: &Client, path: &str, story: &mut Story) -> anyhow::Result<()> {
    loop {
        let page = format!("{path}/events?limit=1000&after={}", story.after);
        let answer = client.expect(Question::get(&page)).await?;
        let events = answer["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            if let Some(sentence) = sentence(event) {
                output::line(&sentence);
            }
            if event["path"].is_null() && event["error"]["message"].is_string() {
                story.error = Some(event["error"]["message"].clone());
            }
            story.after = event["seq"].as_u64().unwrap_or(story.after);
        }
        if answer["next_cursor"].is_null() {
            return Ok(());
        }
    }
}

/// Events by which the server keeps books of another program's run. They tell nobody anything.
const OURS: [&str; 2] = ["watched", "lines_seen"];

/// When, what, which step, and what went wrong. `None` for what nobody needs to know.
fn sentence(event: &Value) -> Option<String> {
    let kind = event["type"].as_str().unwrap_or_default();
    if OURS.contains(&kind) {
        return None;
    }
    let what = match (kind.strip_suffix("_ended"), event["status"].as_str()) {
        (Some(subject), Some(status)) => format!("{subject} {status}"),
        _ => kind.replace('_', " "),
    };
    let mut about = event["path"].as_str().unwrap_or_default().to_owned();
    if let Some(attempt) = event["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        about.push_str(&format!(", attempt {attempt}"));
    }
    if let Some(error) = event["error"]["message"].as_str() {
        let joint = if about.is_empty() { "" } else { ": " };
        about.push_str(&format!("{joint}{}", error.lines().next().unwrap_or_default()));
    }
    let text = format!("{}  {what:<20}  {about}", time(event, "at"));
    Some(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sentence;

    #[test]
    fn events_are_sentences() {
        let event = |fields: serde_json::Value| {
            let mut event = json!({ "at": "2026-11-22T10:00:00.5Z" });
            event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            sentence(&event).map(|text| text[22..].to_owned())
        };
        let error = json!({ "message": "no room\nTraceback", "code": "task_failed" });
        for (fields, said) in [
            (json!({ "type": "run_created" }), Some("run created")),
            (json!({ "type": "watched" }), None),
            (json!({ "type": "lines_seen", "ids": [1] }), None),
            (
                json!({ "type": "task_ended", "path": "load:1", "status": "succeeded" }),
                Some("task succeeded        load:1"),
            ),
            (
                json!({ "type": "task_ended", "path": "a", "status": "failed", "error": error }),
                Some("task failed           a: no room"),
            ),
            (
                json!({ "type": "flow_ended", "status": "failed", "error": error }),
                Some("flow failed           no room"),
            ),
            (
                json!({ "type": "attempt_failed", "path": "a", "attempt": 2, "error": error }),
                Some("attempt failed        a, attempt 2: no room"),
            ),
        ] {
            assert_eq!(event(fields).as_deref(), said);
        }
    }
}
