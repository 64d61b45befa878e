use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{hold, refused, scope_of, settled, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// What has come of a task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CompleteRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
    /// The step's output. Null if left out.
    #[serde(default)]
    pub output: Value,
}

/// Ends a task well: its output is the step's.
///
/// 204 means that it is durable. Said again by the same worker, it counts once. An output that does
/// not fit the kind's schema is answered with `invalid-output`, and the attempt has failed by it.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/complete", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = CompleteRequest),
    responses(
        (status = 204, description = "It is durable"),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-output` or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn complete_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<CompleteRequest>,
) -> Result<StatusCode, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker, request.fence)?);
    let board = app.registry.board();
    let origin = board.end(&scope_of(&caller), id, &hold, Ok(request.output)).map_err(refused)?;
    settled(&app, &origin, true).await?;
    Ok(StatusCode::NO_CONTENT)
}
