use axum::extract::State;
use axum::http::StatusCode;

use super::heartbeat::HoldRequest;
use super::{hold, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Gives a task back, undone: another worker may take it at once.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/release", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = HoldRequest),
    responses(
        (status = 204, description = "It waits for a worker again"),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn release_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<HoldRequest>,
) -> Result<StatusCode, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker, request.fence)?);
    app.engine.release_task(&scope_of(&caller), id, &hold).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
