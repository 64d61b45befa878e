use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::run::{Decision, Verdict};
use windlass_engine::shard::{Answer, Command};

use crate::access::Caller;
use crate::api::approval::vote;
use crate::api::execute::refusal;
use crate::api::query::Named;
use crate::api::run::{RunBody, find};
use crate::app::{App, Shared};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// A decision.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideRequest {
    /// `approve` or `reject`.
    pub decision: Decided,
    /// What the form asks for.
    #[serde(default)]
    pub form: Option<Value>,
    /// What there is to say about it. At most 1,000 characters are kept.
    #[serde(default)]
    pub comment: Option<String>,
    /// The `hash` of what was seen. Left out, the decision is about whatever is asked.
    #[serde(default)]
    pub hash: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decided {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl From<Decided> for Verdict {
    fn from(decided: Decided) -> Verdict {
        match decided {
            Decided::Approve => Verdict::Approve,
            Decided::Reject => Verdict::Reject,
        }
    }
}

/// Decides about what a step asks.
///
/// Who decides is whoever calls. Each may decide once; the step goes on once enough have approved,
/// or too many have rejected.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/approvals/{step}", tag = "approvals",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("step" = String, Path, description = "The step's path, percent-encoded"),
    ),
    request_body(content = DecideRequest),
    responses(
        (status = 202, description = "It is decided, as far as the caller is concerned",
         body = RunBody),
        (status = 409, description = "`wrong-state` or `approval-changed`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The form is not filled in as it should be: `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn decide_approval(
    State(app): Shared,
    caller: Caller,
    Named((word, path)): Named<(String, String)>,
    Body(request): Body<DecideRequest>,
) -> Result<Response, Problem> {
    let run = decide(&app, &caller, &word, path, request).await?;
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

/// Decides about what a step asks, as whoever calls.
///
/// # Errors
///
/// `run-not-found`, or why the decision is not taken.
pub async fn decide(
    app: &App,
    caller: &Caller,
    word: &str,
    path: String,
    request: DecideRequest,
) -> Result<RunBody, Problem> {
    let run_id = find(app, caller.project(), word).await?.run_id;
    let comment = request.comment.map(|comment| comment.chars().take(1_000).collect());
    let verdict = request.decision.into();
    let decision = Decision { by: String::new(), verdict, form: request.form, comment };
    let vote = vote(caller, decision, request.hash);
    match app.engine.command(run_id, Command::Vote { path, vote }).await {
        Answer::Run(view) => Ok(RunBody::of_view(*view)),
        other => Err(refusal(other)),
    }
}
