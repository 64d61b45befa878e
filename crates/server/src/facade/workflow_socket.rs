//! The live window of the workflow service: `/ws/workflow/{workflow}`, the events of all runs of a
//! workflow from the connection on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;
use windlass_core::run::path::node_of;
use windlass_store::{NumberedEvent, RunFilter, RunRow, Store, StoreError};

use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::query::Named;
use crate::api::runs::stream::given_up;
use crate::api::workflow::find_row;
use crate::app::{App, Shared, is_down};
use crate::http::paging::PAGE_BYTES_MAX;
use crate::http::socket::{Upgrade, speak};
use crate::http::{Problem, ProblemResponses};

/// Runs that are looked at, the newest of the workflow.
const RUNS_MAX: usize = 200;
/// Events read in one go.
const PORTION: usize = 500;
/// Messages that may wait for a slow reader.
const WAITING_MAX: usize = 64;
/// How long news are collected.
const COLLECT: Duration = Duration::from_millis(150);
/// Rows of runs that go on may be this old, so they are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(600);

/// Tells what happens in the newest 200 runs of a workflow, from now on, as text messages
/// `{event_id, event_type, workflow_id, job_id, node_id?, timestamp, data}` with the event types
/// `workflow_started`, `node_started`, `node_completed`, `node_failed`, `node_skipped`, `node_retry`,
/// `workflow_completed`, `workflow_failed` and `workflow_cancelled`.
#[utoipa::path(
    get, path = "/ws/workflow/{workflow}", tag = "facades",
    params(("workflow" = String, Path, description = "Id or name")),
    responses((status = 101, description = "Messages from now on"), ProblemResponses)
)]
pub async fn ws_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let workflow_id = find_row(&app, caller.project(), &word).await?.workflow_id;
    // What is there before the answer is not told; whatever comes behind it is.
    let mut told = Watched {
        app: app.clone(),
        workflow_id,
        project: caller.project().to_owned(),
        seqs: HashMap::new(),
    };
    for row in told.rows().await? {
        told.seqs.insert(row.run_id, row.last_seq);
    }
    upgrade.answer(move |socket| async move {
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let telling = async {
            given_up(told.tell(&sender).await);
            drop(sender);
        };
        let _count = app.metrics.stream();
        speak(&app, &caller, socket, messages, telling).await;
    })
}

/// A workflow, and how much of each of its runs was told.
struct Watched {
    app: Arc<App>,
    workflow_id: Uuid,
    project: String,
    seqs: HashMap<Uuid, u64>,
}

impl Watched {
    async fn rows(&self) -> Result<Vec<RunRow>, StoreError> {
        let filter = RunFilter { workflow_id: Some(self.workflow_id), ..RunFilter::default() };
        let project = self.project.clone();
        let read = move |store: &dyn Store| store.runs(&project, &filter, None, RUNS_MAX);
        Ok(self.app.engine.read(read).await?.items)
    }

    async fn tell(&mut self, sender: &mpsc::Sender<String>) -> Result<(), StoreError> {
        let mut changes = self.app.engine.feed().changes();
        let mut going_down = self.app.going_down.clone();
        loop {
            changes.mark_unchanged();
            let rows = self.rows().await?;
            let goes_on = rows.iter().any(|row| !row.status.is_terminal());
            // The oldest first, as they happened.
            for row in rows.iter().rev() {
                if !self.catch_up(row, sender).await? {
                    return Ok(());
                }
            }
            self.seqs.retain(|run_id, _| rows.iter().any(|row| row.run_id == *run_id));
            tokio::time::sleep(COLLECT).await;
            let later = async {
                match goes_on {
                    true => tokio::time::sleep(LOOK_AGAIN).await,
                    false => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
                () = later => {}
                () = is_down(&mut going_down) => return Ok(()),
            }
        }
    }

    /// Tells what one run's row says has happened since. Answers whether anybody listens.
    async fn catch_up(
        &mut self,
        row: &RunRow,
        sender: &mpsc::Sender<String>,
    ) -> Result<bool, StoreError> {
        let mut seq = self.seqs.get(&row.run_id).copied().unwrap_or(0);
        while seq < row.last_seq {
            let (run_id, after) = (row.run_id, seq);
            let read =
                move |store: &dyn Store| store.events(run_id, after, PORTION, PAGE_BYTES_MAX);
            let events = self.app.engine.read(read).await?.items;
            let Some(last) = events.last() else { break };
            seq = last.seq;
            for event in &events {
                let Some(message) = message(row, event) else { continue };
                if sender.send(message.to_string()).await.is_err() {
                    return Ok(false);
                }
            }
        }
        self.seqs.insert(row.run_id, seq);
        Ok(true)
    }
}

/// An event in the service's words, if it has any for it.
fn message(row: &RunRow, event: &NumberedEvent) -> Option<Value> {
    let body = EventBody::of(event);
    let event_type = match body.type_ {
        "run_created" => "workflow_started",
        "run_succeeded" => "workflow_completed",
        "run_failed" => "workflow_failed",
        "run_cancelled" => "workflow_cancelled",
        "step_queued" => "node_started",
        "step_succeeded" => "node_completed",
        "step_failed" => "node_failed",
        "step_skipped" => "node_skipped",
        "attempt_failed" => "node_retry",
        _ => return None,
    };
    let field = |name: &str| body.fields.get(name).cloned();
    let mut data = json!({});
    for name in ["output", "error", "attempt", "reason"] {
        if let Some(value) = field(name) {
            data[name] = value;
        }
    }
    if body.type_ == "run_created" {
        data = json!({ "status": "running" });
    }
    let mut message = json!({
        "event_id": format!("{}-{}", row.run_id, body.seq),
        "event_type": event_type,
        "workflow_id": row.workflow_id,
        "job_id": row.run_id,
        "timestamp": body.at,
        "data": data,
    });
    if let Some(path) = field("path") {
        message["node_id"] = node_of(path.as_str().unwrap_or_default()).into();
    }
    Some(message)
}
