use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;

use crate::access::Caller;
use crate::app::Shared;
use crate::http::ProblemResponses;

/// A program that makes attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkerBody {
    /// What it calls itself.
    pub name: String,
    /// The plugin whose child it is; null if it has come from outside.
    pub plugin: Option<String>,
    /// The queues it asked for last: `kind:resize`, `role:clerk`, those of an instance, or plain names.
    pub queues: Vec<String>,
    /// When it was last heard of, RFC 3339.
    #[schema(format = DateTime)]
    pub last_seen_at: String,
    /// Whether it waits for work at this moment.
    pub polling: bool,
    /// How many tasks of the project it holds.
    pub task_count: usize,
    /// The first 20 of them.
    pub tasks: Vec<WorkerTask>,
}

/// A task in a worker's hands.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkerTask {
    /// The task.
    pub id: Uuid,
    /// `unit`, or the kind of the step's node.
    pub kind: String,
    /// The run.
    pub run_id: Uuid,
    /// The unit's path or the step's address in the run.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Until when the task is the worker's own, RFC 3339.
    #[schema(format = DateTime)]
    pub lease_until: String,
}

/// Workers, on one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkerList {
    /// By plugin and name, those from outside first.
    pub items: Vec<WorkerBody>,
    /// Always null.
    pub next_cursor: Option<String>,
}

/// The workers that were heard of in the last ten minutes: those of the project, and the children of
/// the server, which work for all projects.
#[utoipa::path(
    get, path = "/api/v1/workers", tag = "workers",
    responses((status = 200, body = WorkerList), ProblemResponses)
)]
pub async fn list_workers(State(app): Shared, caller: Caller) -> Json<WorkerList> {
    let (now, at) = (app.engine.clock().now(), Instant::now());
    let workers = app.engine.desk().workers(caller.project());
    let items = workers.into_iter().map(|worker| WorkerBody {
        last_seen_at: Time::from_micros(now.micros().saturating_sub(micros(at - worker.seen)))
            .to_string(),
        name: worker.name,
        plugin: worker.plugin,
        queues: worker.queues,
        polling: worker.is_polling,
        task_count: worker.task_count,
        tasks: worker
            .tasks
            .into_iter()
            .map(|task| WorkerTask {
                id: task.task_id,
                kind: task.kind,
                run_id: task.run_id,
                step: task.path,
                attempt: task.attempt,
                lease_until: now
                    .plus(task.held.map(|held| held.lease).unwrap_or_default())
                    .to_string(),
            })
            .collect(),
    });
    Json(WorkerList { items: items.collect(), next_cursor: None })
}

fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
