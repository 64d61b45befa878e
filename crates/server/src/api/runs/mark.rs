use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::run::Mark;
use windlass_engine::shard::{Answer, Command};

use crate::access::Caller;
use crate::api::execute::refusal;
use crate::api::query::Named;
use crate::api::run::{RunBody, find};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// What is to be taken for true of a step.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkRequest {
    /// `succeeded` or `skipped`.
    pub status: MarkStatus,
    /// The output, with `succeeded`. Null if left out.
    #[serde(default)]
    pub output: Value,
    /// Why. At most 1,000 characters are kept.
    #[serde(default)]
    pub reason: Option<String>,
}

/// How a step is to have ended.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkStatus {
    /// It has done what it should.
    Succeeded,
    /// It is not needed.
    Skipped,
}

/// Settles a step by hand, and the run goes on.
///
/// It must be in mid-life (queued, running, backing off or waiting) and no block. What is being done
/// for it is stopped. The journal says who did it and why; the step's reason is `marked`.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/steps/{step}/mark", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("step" = String, Path, description = "The step's path, percent-encoded"),
    ),
    request_body(content = MarkRequest),
    responses(
        (status = 202, description = "It is settled", body = RunBody),
        (status = 409, description = "It is in no state for it: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn mark_step(
    State(app): Shared,
    caller: Caller,
    Named((word, path)): Named<(String, String)>,
    Body(request): Body<MarkRequest>,
) -> Result<Response, Problem> {
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    let mark = match request.status {
        MarkStatus::Succeeded => Mark::Succeeded(Arc::new(request.output)),
        MarkStatus::Skipped => Mark::Skipped,
    };
    let reason = request.reason.map(|reason| reason.chars().take(1_000).collect());
    let command = Command::Mark { path, mark, by: caller.name().to_owned(), reason };
    match app.engine.command(run_id, command).await {
        Answer::Run(view) => {
            Ok((StatusCode::ACCEPTED, Json(RunBody::of_view(*view))).into_response())
        }
        other => Err(refusal(other)),
    }
}
