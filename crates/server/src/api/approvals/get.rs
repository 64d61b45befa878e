use axum::Json;
use axum::extract::State;

use crate::access::Caller;
use crate::api::approval::{ApprovalBody, asked};
use crate::api::query::Named;
use crate::api::run::find;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// What a step asks: its title, what is approved, the form, who may decide, who has decided, and the
/// hash that a decision is bound to.
///
/// 409 `wrong-state` once it is decided: its decisions are in the step's output then.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/approvals/{step}", tag = "approvals",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("step" = String, Path, description = "The step's path, percent-encoded"),
    ),
    responses(
        (status = 200, body = ApprovalBody),
        (status = 409, description = "It asks nothing now: `wrong-state`",
         body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn get_approval(
    State(app): Shared,
    caller: Caller,
    Named((word, path)): Named<(String, String)>,
) -> Result<Json<ApprovalBody>, Problem> {
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    Ok(Json(asked(&app, run_id, path).await?))
}
