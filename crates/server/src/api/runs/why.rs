use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use crate::access::Caller;
use crate::api::execute::refusal;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::why::WhyBody;
use crate::app::{App, Shared};
use crate::http::{Problem, ProblemResponses};

/// Which step.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct WhyQuery {
    /// Only the step at this path.
    pub step: Option<String>,
}

/// Why a run, and each of its steps, does not move: what it waits for, who holds that, whose word is
/// needed. It is read from the very sets by which the run is driven.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/why", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id"), WhyQuery),
    responses((status = 200, body = WhyBody), ProblemResponses)
)]
pub async fn why(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<WhyQuery>,
) -> Result<Json<WhyBody>, Problem> {
    Ok(Json(explain(&app, &caller, &word, query.step).await?))
}

/// Why a run, or one step of it, does not move.
///
/// # Errors
///
/// `run-not-found` or `step-not-found`.
pub async fn explain(
    app: &App,
    caller: &Caller,
    word: &str,
    step: Option<String>,
) -> Result<WhyBody, Problem> {
    let row = find(app, caller.project(), word).await?;
    let why = app.engine.why(row.run_id, step).await.map_err(refusal)?;
    Ok(WhyBody::of(&row, why))
}
