use axum::Json;
use axum::extract::State;

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::run::RunBody;
use crate::api::run::read;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// A run.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id")),
    responses((status = 200, body = RunBody), ProblemResponses)
)]
pub async fn get_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<RunBody>, Problem> {
    Ok(Json(read(&app, caller.project(), &word).await?))
}
