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

/// Ends a run at once: running steps are stopped, nothing is cleaned up and nothing undone. Also ends
/// one that is being cancelled.
///
/// Answers 202 once that is durable. A run that is over already is `wrong-state`.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/terminate", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds"),
    ),
    request_body(content = CancelRequest),
    responses(
        (status = 202, description = "It is being ended", body = RunBody),
        (status = 200, description = "It is over", body = RunBody),
        (status = 409, description = "It is over already: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn terminate_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
    Body(request): Body<CancelRequest>,
) -> Result<Response, Problem> {
    stop(&app, &caller, &word, &headers, request, |by, reason| Command::Terminate { by, reason })
        .await
}
