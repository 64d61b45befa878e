use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use windlass_engine::shard::Command;

use super::cancel::{CancelRequest, stop};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::run::RunBody;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Lets a paused run go on.
///
/// Answers 202 once that is durable. A run that is not paused is `wrong-state`.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/resume", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id")),
    request_body(content = CancelRequest),
    responses(
        (status = 202, description = "It goes on", body = RunBody),
        (status = 409, description = "It is not paused: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn resume_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<CancelRequest>,
) -> Result<Response, Problem> {
    let command = |by, reason| Command::Resume { by, reason };
    stop(&app, &caller, &word, &HeaderMap::new(), request, command).await
}
