use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::QueueBody;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::get::TaskSummary;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};

/// A queue with what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueDetail {
    /// The queue.
    #[serde(flatten)]
    pub queue: QueueBody,
    /// Some of its tasks: 100 of those in hands, then 100 of those that wait.
    pub tasks: Vec<TaskSummary>,
}

/// A queue, and some of what waits in it and of what was taken from it.
#[utoipa::path(
    get, path = "/api/v1/queues/{queue}", tag = "workers",
    params(("queue" = String, Path, description = "Its name, percent-encoded, `/` too")),
    responses((status = 200, body = QueueDetail), ProblemResponses)
)]
pub async fn get_queue(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<QueueDetail>, Problem> {
    super::filled(&app).await?;
    let (view, tasks) = app.engine.desk().queue(caller.project(), &name).ok_or_else(|| {
        let message = format!("nothing is in a queue `{name:.200}`, or out of it");
        Problem::new(problem::QUEUE_NOT_FOUND, message)
    })?;
    let now = app.engine.clock().now();
    let tasks = tasks.into_iter().map(|task| TaskSummary::of(task, now)).collect();
    Ok(Json(QueueDetail { queue: view.into(), tasks }))
}
