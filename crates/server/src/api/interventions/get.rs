use axum::Json;
use axum::extract::State;

use crate::access::Caller;
use crate::api::intervention::{InterventionBody, find};
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// A request to pilots.
#[utoipa::path(
    get, path = "/api/v1/interventions/{intervention}", tag = "units",
    params(("intervention" = String, Path, description = "Its id")),
    responses((status = 200, body = InterventionBody), ProblemResponses)
)]
pub async fn get_intervention(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<InterventionBody>, Problem> {
    Ok(Json(find(&app, &caller, &word).await?.into()))
}
