use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use windlass_engine::shard::{Answer, Command};

use crate::access::Caller;
use crate::api::execute::{answer, refusal};
use crate::api::query::Named;
use crate::api::run::{RunBody, find, wait_until_over};
use crate::app::{App, Shared};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, prefer};

/// Why a run is to be stopped, paused or resumed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CancelRequest {
    /// In the words of who asks. At most 1,000 characters are kept.
    pub reason: Option<String>,
}

/// Cancels a run. Running steps are stopped; the `finally` of every open `try` still runs, and what
/// has a `compensate` is undone. `terminate` does without.
///
/// Answers 202 once that is durable. A run that is over already is `wrong-state`.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/cancel", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds"),
    ),
    request_body(content = CancelRequest),
    responses(
        (status = 202, description = "It is being cancelled", body = RunBody),
        (status = 200, description = "It is over", body = RunBody),
        (status = 409, description = "It is over already: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn cancel_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
    Body(request): Body<CancelRequest>,
) -> Result<Response, Problem> {
    stop(&app, &caller, &word, &headers, request, |by, reason| Command::Cancel { by, reason }).await
}

/// Tells a run to stop, one way or the other, and answers with it.
pub(super) async fn stop(
    app: &App,
    caller: &Caller,
    word: &str,
    headers: &HeaderMap,
    request: CancelRequest,
    command: impl FnOnce(String, Option<String>) -> Command,
) -> Result<Response, Problem> {
    let wait = prefer::wait(headers, app.config.server.wait_time_max.0)?;
    let run = order(app, caller, word, request.reason, wait, command).await?;
    Ok(answer(run, wait))
}

/// Gives a run an order and, if the caller would wait, waits for its end.
///
/// # Errors
///
/// `run-not-found` or `wrong-state`.
pub async fn order(
    app: &App,
    caller: &Caller,
    word: &str,
    reason: Option<String>,
    wait: Option<Duration>,
    command: impl FnOnce(String, Option<String>) -> Command,
) -> Result<RunBody, Problem> {
    let run_id = find(app, caller.project(), word).await?.run_id;
    let reason = reason.map(|reason| reason.chars().take(1_000).collect());
    match app.engine.command(run_id, command(caller.name().to_owned(), reason)).await {
        Answer::Run(view) => match wait {
            Some(wait) => wait_until_over(app, caller.project(), run_id, wait).await,
            None => Ok(RunBody::of_view(*view)),
        },
        other => Err(refusal(other)),
    }
}
