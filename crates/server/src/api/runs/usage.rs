use axum::Json;
use axum::extract::State;

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::run::find;
use crate::api::usage::UsageBody;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// What language models have taken in a run, by node and model.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/usage", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id")),
    responses((status = 200, body = UsageBody), ProblemResponses)
)]
pub async fn run_usage(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<UsageBody>, Problem> {
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    let rows = app.engine.read(move |store| store.usage_of_run(run_id)).await?;
    Ok(Json(UsageBody::of(rows)))
}
