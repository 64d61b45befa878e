//! The tasks of a run, as the flow observer's own server lists them.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::Time;
use windlass_core::run::StepStatus;

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::{Asked, Named};
use crate::api::runs::steps::list;
use crate::api::step::StepBody;
use crate::api::task_about::TaskAbout;
use crate::app::Shared;
use crate::http::paging::{List, limit};
use crate::http::{Problem, ProblemResponses};

/// A task of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskBody {
    /// Its node, such as `load:1`; of a run of ours the step's path.
    pub id: String,
    /// What the task is called.
    pub task_name: String,
    /// `PENDING`, `RUNNING`, `SUCCEEDED`, `FAILED`, `SKIPPED` or `CANCELLED`.
    pub status: &'static str,
    /// The current or last attempt.
    pub attempt: u32,
    /// The runs of a higher priority go first; null if nothing was said of it.
    pub priority: Option<i64>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it began, RFC 3339.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
}

impl TaskBody {
    fn of(step: StepBody) -> TaskBody {
        let about = TaskAbout::of(&step);
        let time = |text: &Option<String>| text.as_deref().and_then(Time::parse);
        let took = time(&step.finished_at).zip(time(&step.started_at));
        TaskBody {
            task_name: about.task,
            priority: about.priority,
            tags: about.tags,
            status: word(StepStatus::parse(step.status).unwrap_or(StepStatus::Pending)),
            attempt: step.attempt,
            duration_ms: took.map(|(end, start)| end.since(start).as_micros() as f64 / 1e3),
            error: step.error.map(|error| error.message),
            started_at: step.started_at,
            finished_at: step.finished_at,
            id: step.path,
        }
    }
}

fn word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending | StepStatus::Queued => "PENDING",
        StepStatus::Succeeded => "SUCCEEDED",
        StepStatus::Failed => "FAILED",
        StepStatus::Skipped => "SKIPPED",
        StepStatus::Cancelled => "CANCELLED",
        _ => "RUNNING",
    }
}

/// The tasks of a run, in the words of the flow observer, in the order in which they came up.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/tasks", tag = "facades",
    params(("run" = String, Path, description = "Id or external id"), PageQuery),
    responses((status = 200, body = List<TaskBody>), ProblemResponses)
)]
pub async fn list_tasks(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let found = list(&app, &caller, &word, page.cursor.as_deref(), limit).await?;
    let items = found.items.into_iter().map(TaskBody::of).collect();
    Ok(List { items, next_cursor: found.next_cursor }.answer(&uri))
}
