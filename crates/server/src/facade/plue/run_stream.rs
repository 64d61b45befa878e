//! A run's story as plue designed it: lines `data: {…}` with a `type`, said once each.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use windlass_core::definition::Plan;
use windlass_core::run::path::node_of;
use windlass_store::{NumberedEvent, RunRow, StoreError};

use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::runs::stream::{Frame, Frames, StreamQuery, place_of, stream};
use crate::app::{App, Shared};
use crate::follow::{Follower, Told};
use crate::http::{Problem, ProblemResponses};

/// Follows a run from its beginning, or from behind an event: `connected {run_id}`, `run_started
/// {run_id, workflow}`, `step_started {step_id, name, step_type}`, `step_output {step_id, line}`,
/// `llm_token {step_id, token}`, `agent_turn {step_id, turn, max_turns}`, `tool_start {step_id, tool,
/// input}`, `tool_end {step_id, tool, output, success}`, `step_completed {step_id, success, output?,
/// error?}`, `run_completed {success, outputs?, error?}`.
#[utoipa::path(
    get, path = "/api/workflows/runs/{run}/stream", tag = "facades",
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
pub async fn stream_plue_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let after = place_of(&query, &headers)?.unwrap_or(0);
    let row = find(&app, caller.project(), &word).await?;
    if row.status.is_terminal() && after >= row.last_seq && after > 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(stream(app.clone(), caller, |frames| tell(app, row, after, frames)))
}

fn frame(seq: Option<u64>, body: &Value) -> Result<Event, Infallible> {
    let frame = Event::default().data(body.to_string());
    Ok(match seq {
        Some(seq) => frame.id(seq.to_string()),
        None => frame,
    })
}

async fn tell(app: Arc<App>, row: RunRow, after: u64, frames: Frames) -> Result<(), StoreError> {
    let run_id = row.run_id;
    let follower = Follower::new(app.clone(), run_id);
    let (definitions, definition_id) = (app.engine.definitions().clone(), row.definition_id);
    let (plan, overview) = app
        .engine
        .read(move |store| {
            let overview = if after == 0 { None } else { store.overview(run_id, 0)? };
            Ok((definitions.plan(definition_id).ok(), overview))
        })
        .await?;
    // Who comes back has most lines already.
    let log_seq = overview.map_or(0, |overview| overview.last_log_seq);
    let connected = json!({ "type": "connected", "run_id": run_id });
    if frames.send(frame(None, &connected)).await.is_err() {
        return Ok(());
    }
    let mut follower = follower.after(after).with_logs_after(log_seq).with_live();
    let mut is_ended = false;
    while let Some(portion) = follower.next().await? {
        let mut told = Vec::new();
        if let Some(note) = &portion.live {
            let mut body = json!({ "type": note.kind, "step_id": note.path });
            let fields = note.data.as_object().cloned().unwrap_or_default();
            for (field, value) in fields {
                let field = if field == "text" { "token".to_owned() } else { field };
                body[field] = value;
            }
            told.push((None, body));
        }
        told.extend(portion.told().into_iter().filter_map(|told| match told {
            Told::Line(line) => {
                let body =
                    json!({ "type": "step_output", "step_id": line.path, "line": line.text });
                Some((None, body))
            }
            Told::Event(event) => Some((Some(event.seq), message(&row, plan.as_deref(), &event)?)),
        }));
        for (seq, body) in told {
            is_ended |= body["type"] == "run_completed";
            if frames.send(frame(seq, &body)).await.is_err() {
                return Ok(());
            }
        }
    }
    if let Some(run) = follower.end().await?.filter(|_| !is_ended) {
        let error = run.error.map(|error| error.message);
        let error = error.or_else(|| (run.status == "cancelled").then(|| "cancelled".to_owned()));
        let body = match run.status {
            "succeeded" => {
                json!({ "type": "run_completed", "success": true, "outputs": run.output })
            }
            _ => json!({ "type": "run_completed", "success": false, "error": error }),
        };
        // Nobody listens any more if it cannot be sent.
        let _ = frames.send(frame(None, &body)).await;
    }
    Ok(())
}

/// An event in plue's words, if it has any for it.
fn message(row: &RunRow, plan: Option<&Plan>, event: &NumberedEvent) -> Option<Value> {
    let body = EventBody::of(event);
    let field = |name: &str| body.fields.get(name).cloned();
    let path = body.fields.get("path").and_then(Value::as_str).unwrap_or_default();
    let error = || field("error").map(|error| error["message"].clone());
    Some(match body.type_ {
        "run_created" => {
            json!({ "type": "run_started", "run_id": row.run_id, "workflow": row.workflow })
        }
        "step_queued" | "step_waiting" | "step_awaiting" | "map_opened" | "loop_opened"
        | "task_started" => {
            let node = plan.and_then(|plan| plan.locate(path)).map(|(_, node)| node);
            json!({
                "type": "step_started", "step_id": path,
                "name": node.and_then(|node| node.title.as_deref()).unwrap_or_else(|| node_of(path)),
                "step_type": node.map_or("task", |node| node.kind.name),
            })
        }
        "step_succeeded" => json!({
            "type": "step_completed", "step_id": path, "success": true, "output": field("output"),
        }),
        "step_failed" | "step_cancelled" | "step_skipped" => json!({
            "type": "step_completed", "step_id": path, "success": false,
            "error": error().or_else(|| field("reason")),
        }),
        "task_ended" => {
            let success = field("status").is_some_and(|status| status == "succeeded");
            json!({
                "type": "step_completed", "step_id": path, "success": success,
                "output": field("output"), "error": error(),
            })
        }
        "run_succeeded" => {
            json!({ "type": "run_completed", "success": true, "outputs": field("output") })
        }
        "run_failed" => json!({ "type": "run_completed", "success": false, "error": error() }),
        "run_cancelled" => {
            json!({ "type": "run_completed", "success": false, "error": "cancelled" })
        }
        _ => return None,
    })
}
