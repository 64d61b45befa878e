//! The live window of the flow observer: `/sse/runs/{run}` and `/ws/runs/{run}`, messages
//! `{kind: flow | task | log, data}`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use windlass_core::run::Fact;
use windlass_core::run::path::node_of;
use windlass_core::{HumanDuration, Time};
use windlass_store::{LogRow, NumberedEvent, RunRow, StoreError};

use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::log_line::LogLineBody;
use crate::api::query::{Asked, Named};
use crate::api::run::{RunBody, find};
use crate::api::runs::events::number;
use crate::api::runs::stream::{Frame, StreamQuery, given_up, place_of, stream};
use crate::app::{App, Shared};
use crate::follow::{self, Follower};
use crate::http::socket::{Upgrade, speak};
use crate::http::{Problem, ProblemResponses};

/// Messages that may wait for a slow reader.
const WAITING_MAX: usize = 64;

/// The run that is told of.
struct Of {
    row: RunRow,
    /// What messages call it: what its reader does.
    id: String,
}

impl Of {
    fn asked_for(row: RunRow, word: &str) -> Of {
        let own = row.external_id.clone().filter(|own| own == word);
        Of { id: own.unwrap_or_else(|| row.run_id.to_string()), row }
    }
}

/// A message, and the number of the event it tells of; log lines have none.
struct Told {
    seq: Option<u64>,
    body: Value,
}

/// Follows a run from its beginning, or from behind an event, as messages of the flow observer.
#[utoipa::path(
    get, path = "/sse/runs/{run}", tag = "facades",
    params(
        ("run" = String, Path, description = "Id or external id"),
        StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The last `id` received"),
    ),
    responses(
        (status = 200, description = "Frames", body = Frame, content_type = "text/event-stream"),
        (status = 204, description = "The run is over and everything was said"),
        ProblemResponses
    )
)]
pub async fn sse_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = place_of(&query, &headers)?.unwrap_or(0);
    let row = find(&app, caller.project(), &word).await?;
    // Browsers come back for ever, unless they are told that there is nothing more.
    if row.status.is_terminal() && after >= row.last_seq {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let of = Of::asked_for(row, &word);
    Ok(stream(app.clone(), caller, |frames| tell(app, of, after, frames, frame)))
}

/// The same over a WebSocket: one text message each, `{"kind": "flow" | "task" | "log", "data": …}`.
/// It is closed after the run's last event.
#[utoipa::path(
    get, path = "/ws/runs/{run}", tag = "facades",
    params(("run" = String, Path, description = "Id or external id"), StreamQuery),
    responses((status = 101, description = "Messages from now on"), ProblemResponses)
)]
pub async fn ws_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<StreamQuery>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let after = number("after", query.after.as_deref())?.unwrap_or(0);
    let row = find(&app, caller.project(), &word).await?;
    let of = Of::asked_for(row, &word);
    upgrade.answer(move |socket| async move {
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let text = |told: Told| told.body.to_string();
        let telling = async { given_up(tell(app.clone(), of, after, sender, text).await) };
        let _count = app.metrics.stream();
        speak(&app, &caller, socket, messages, telling).await;
    })
}

/// A message as a frame of server-sent events.
fn frame(told: Told) -> Result<Event, Infallible> {
    let frame = Event::default().event(told.body["kind"].as_str().unwrap_or_default());
    let frame = match told.seq {
        Some(seq) => frame.id(seq.to_string()),
        None => frame,
    };
    Ok(frame.data(told.body.to_string()))
}

/// Tells a run's story from behind an event on, with its log lines, until it is over or nobody
/// listens.
async fn tell<M: Send>(
    app: Arc<App>,
    of: Of,
    after: u64,
    messages: mpsc::Sender<M>,
    shape: impl Fn(Told) -> M,
) -> Result<(), StoreError> {
    let run_id = of.row.run_id;
    let follower = Follower::new(app.clone(), run_id);
    // Who comes back has most lines already; `/logs` has those in between.
    let overview = match after {
        0 => None,
        _ => app.engine.read(move |store| store.overview(run_id, 0)).await?,
    };
    let log_seq = overview.map_or(0, |overview| overview.last_log_seq);
    let mut follower = follower.after(after).with_logs_after(log_seq);
    let mut is_ended = false;
    while let Some(portion) = follower.next().await? {
        let told = portion.told().into_iter().filter_map(|told| match told {
            follow::Told::Line(line) => Some(Told { seq: None, body: log(&of, line) }),
            follow::Told::Event(event) => {
                Some(Told { seq: Some(event.seq), body: message(&of, &event)? })
            }
        });
        for told in told {
            is_ended |= told.body["data"]["event"] == "flow_completed";
            if messages.send(shape(told)).await.is_err() {
                return Ok(());
            }
        }
    }
    if let Some(run) = follower.end().await?.filter(|_| !is_ended) {
        // Nobody listens any more if it cannot be sent.
        let _ = messages.send(shape(Told { seq: None, body: end(&of, run) })).await;
    }
    Ok(())
}

/// The end of a run that follows from its tasks, or from its silence.
fn end(of: &Of, run: RunBody) -> Value {
    let mut data = json!({
        "event": "flow_completed", "flow": run.workflow, "run_id": of.id, "ts": run.finished_at,
        "status": run.status.to_uppercase(),
        "inferred": run.observed.is_some_and(|observed| observed.inferred),
    });
    if let Some(error) = run.error {
        data["error"] = error.message.into();
    }
    json!({ "kind": "flow", "data": data })
}

/// An event in the observer's words, if it has any for it.
fn message(of: &Of, event: &NumberedEvent) -> Option<Value> {
    let body = EventBody::of(event);
    let (kind, name) = match body.type_ {
        "run_created" => ("flow", "flow_started"),
        "run_succeeded" | "run_failed" | "run_cancelled" => ("flow", "flow_completed"),
        "step_queued" => ("task", "task_started"),
        "step_succeeded" => ("task", "task_ok"),
        "step_failed" => ("task", "task_err"),
        "step_cancelled" => ("task", "task_cancelled"),
        "attempt_failed" | "task_retried" => ("task", "task_retry"),
        // What the observer itself was told: its own words come back.
        // How a run ended of which that is not said follows from its tasks once all are over.
        "flow_ended" if body.fields.contains_key("status") => ("flow", "flow_completed"),
        "task_started" => ("task", "task_started"),
        "task_ended" => {
            let name = match body.fields.get("status").and_then(Value::as_str) {
                Some("succeeded") => "task_ok",
                Some("skipped") => "task_skipped",
                Some("cancelled") => "task_cancelled",
                _ => "task_err",
            };
            ("task", name)
        }
        _ => return None,
    };
    let mut data = json!({
        "event": name, "flow": of.row.workflow, "run_id": of.id, "ts": body.at, "seq": body.seq,
    });
    let fields = &body.fields;
    if kind == "flow" {
        data["status"] = match body.type_ {
            "run_created" => "RUNNING",
            "run_succeeded" => "SUCCEEDED",
            "run_failed" => "FAILED",
            "flow_ended" => match fields.get("status").and_then(Value::as_str) {
                Some("succeeded") => "SUCCEEDED",
                Some("failed") => "FAILED",
                _ => "CANCELLED",
            },
            _ => "CANCELLED",
        }
        .into();
    } else {
        let path = fields.get("path").and_then(Value::as_str).unwrap_or_default();
        // A program numbers the lives of a task: `load:1`.
        let task = match event.event.fact {
            Fact::TaskSeen { .. } => path.rsplit_once(':').map_or(path, |(task, _)| task),
            _ => node_of(path),
        };
        data["task"] = task.into();
        data["node"] = path.into();
        data["attempt"] = fields.get("attempt").cloned().unwrap_or_else(|| 1.into());
        let started = fields.get("started_at").and_then(Value::as_str).and_then(Time::parse);
        let lasted = fields.get("duration").and_then(Value::as_str);
        if let Some(lasted) = lasted.and_then(|text| text.parse::<HumanDuration>().ok()) {
            data["duration_ms"] = millis(lasted.0).into();
        } else if let Some(started) = started {
            data["duration_ms"] = millis(event.event.at.since(started)).into();
        }
    }
    if let Some(said_at) = fields.get("said_at") {
        data["ts"] = said_at.clone();
    } else if let ("run_created", Some(started_at)) = (body.type_, of.row.started_at) {
        // Another program's run may have begun before it was heard of.
        data["ts"] = started_at.to_string().into();
    }
    if let Some(error) = fields.get("error") {
        data["error"] = error["message"].clone();
    }
    Some(json!({ "kind": kind, "data": data }))
}

/// In microseconds it is a whole number, and has no odd end.
fn millis(lasted: Duration) -> f64 {
    lasted.as_micros() as f64 / 1e3
}

fn log(of: &Of, line: LogRow) -> Value {
    let line = LogLineBody::from(line);
    let usual = if line.stream == "stderr" { "warning" } else { "info" };
    let level = line.level.unwrap_or(usual);
    json!({ "kind": "log", "data": {
        "event": "task_log", "flow": of.row.workflow, "run_id": of.id, "ts": line.at,
        "node": line.path, "level": level, "message": line.text, "log_seq": line.log_seq,
    } })
}
