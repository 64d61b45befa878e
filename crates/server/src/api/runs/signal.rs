use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::run::Refused;
use windlass_engine::shard::{Answer, Command};

use crate::access::Caller;
use crate::api::execute::refusal;
use crate::api::query::Named;
use crate::api::run::{RunBody, find, read};
use crate::app::{App, Shared};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key};

/// A signal.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignalRequest {
    /// What comes with it: the output of the step that waits for it. Null if left out.
    pub payload: Value,
}

/// Sends a signal to a run.
///
/// The step that has waited longest for a signal of this name takes it. If none does, it is kept for
/// one that will. With `Idempotency-Key`, a second one with the same key changes nothing.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/signals/{name}", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("name" = String, Path, description = "1 to 256 bytes"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes"),
    ),
    request_body(content = SignalRequest),
    responses(
        (status = 202, description = "The run has it", body = RunBody),
        (status = 409, description = "The run is over, or takes no more: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn send_signal(
    State(app): Shared,
    caller: Caller,
    Named((word, name)): Named<(String, String)>,
    headers: HeaderMap,
    Body(request): Body<SignalRequest>,
) -> Result<Response, Problem> {
    let id = key::from_headers(&headers)?;
    let run = send(&app, &caller, &word, name, request, id).await?;
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

/// Sends a signal to a run, once for each id.
///
/// # Errors
///
/// `run-not-found`, `wrong-state`, or what is wrong with the signal.
pub async fn send(
    app: &App,
    caller: &Caller,
    word: &str,
    name: String,
    request: SignalRequest,
    id: Option<String>,
) -> Result<RunBody, Problem> {
    key::check("name", &name)?;
    let run_id = find(app, caller.project(), word).await?.run_id;
    let (payload, by) = (Arc::new(request.payload), caller.name().to_owned());
    match app.engine.command(run_id, Command::Signal { name, payload, by, id }).await {
        Answer::Run(view) => Ok(RunBody::of_view(*view)),
        // It was received before: the same answer as then.
        Answer::Refused(Refused::SignalKnown(_)) => {
            read(app, caller.project(), &run_id.to_string()).await
        }
        other => Err(refusal(other)),
    }
}
