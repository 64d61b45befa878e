use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_engine::desk::{HeldView, TaskLine, TaskRefused};

use super::{refused, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::Problem;

/// A task, as whoever looks on sees it: without its config.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskSummary {
    /// The task.
    pub id: Uuid,
    /// `unit`, or the kind of the step's node.
    pub kind: String,
    /// The run.
    pub run_id: Uuid,
    /// The unit's path or the step's address in the run.
    pub step: String,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Tasks of different keys take turns.
    pub fairness_key: String,
    /// Since when it is offered, RFC 3339.
    #[schema(format = DateTime)]
    pub offered_at: String,
    /// Which attempt of a step it is; how often a unit was taken.
    pub attempt: u32,
    /// Who has it; null if nobody has.
    pub holder: Option<TaskHolder>,
}

/// Who has a task.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskHolder {
    /// Who.
    pub worker: String,
    /// How often it was handed over, this time included.
    pub fence: u64,
    /// Until when it is theirs, RFC 3339.
    #[schema(format = DateTime)]
    pub lease_until: String,
    /// What they have said on the way.
    pub progress: Option<serde_json::Value>,
}

impl TaskSummary {
    /// From what the desk says, at a time.
    pub(crate) fn of(task: TaskLine, now: Time) -> TaskSummary {
        TaskSummary {
            id: task.task_id,
            kind: task.kind,
            run_id: task.run_id,
            step: task.path,
            priority: task.priority,
            fairness_key: task.fairness_key,
            offered_at: task.since.to_string(),
            attempt: task.attempt,
            holder: task.held.map(|held| TaskHolder::of(held, now)),
        }
    }
}

impl TaskHolder {
    /// From what the desk says, at a time.
    pub(crate) fn of(held: HeldView, now: Time) -> TaskHolder {
        TaskHolder {
            worker: held.worker,
            fence: held.fence,
            lease_until: now.plus(held.lease).to_string(),
            progress: held.progress,
        }
    }
}

/// A task with what a person is shown of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskDetail {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// The queue it stands in, or was taken from.
    pub queue: String,
    /// What is to be done, in a sentence, if its step says so.
    pub title: Option<String>,
    /// What whoever takes it is shown, if it is a step of the kind `actor`.
    pub input: Option<serde_json::Value>,
    /// What they fill in, as a JSON Schema.
    pub form: Option<serde_json::Value>,
}

/// A task that waits for a worker, or is in the hands of one.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task}", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    responses((status = 200, body = TaskDetail), ProblemResponses)
)]
pub async fn get_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<TaskDetail>, Problem> {
    let id = task_id(&word)?;
    crate::api::queues::filled(&app).await?;
    let task = app.engine.desk().task(caller.project(), id);
    let task = task.ok_or_else(|| refused(TaskRefused::NotFound))?;
    // It may be over since.
    let row = app.engine.read(move |store| store.task(id)).await?;
    let row = row.ok_or_else(|| refused(TaskRefused::NotFound))?;
    Ok(Json(TaskDetail {
        task: TaskSummary::of(task, app.engine.clock().now()),
        queue: row.queue,
        title: Some(row.title).filter(|title| !title.is_empty()),
        input: row.input,
        form: row.form,
    }))
}
