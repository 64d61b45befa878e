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

/// Pauses a run: nothing further of it begins until it is resumed. Attempts under way may end, and
/// what they come to is kept. Its timers stand still; a time that passes meanwhile is made up for.
///
/// Answers 202 once that is durable. A run that is over or paused already is `wrong-state`.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/pause", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id")),
    request_body(content = CancelRequest),
    responses(
        (status = 202, description = "It is paused", body = RunBody),
        (status = 409, description = "It is over or paused already: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn pause_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<CancelRequest>,
) -> Result<Response, Problem> {
    let command = |by, reason| Command::Pause { by, reason };
    stop(&app, &caller, &word, &HeaderMap::new(), request, command).await
}
