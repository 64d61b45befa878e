use axum::Json;
use axum::extract::State;

use super::row;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::runs::why::explain;
use crate::api::why::WhyBody;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// Why a unit does not move: the actor it waits for and how many stand before it, who holds it, which
/// head of CERBERUS holds its set, or which word of a pilot is missing. Nothing is in `steps` if it is
/// over.
#[utoipa::path(
    get, path = "/api/v1/uows/{uow}/why", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    responses((status = 200, body = WhyBody), ProblemResponses)
)]
pub async fn why_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<WhyBody>, Problem> {
    let row = row(&app, &caller, &word).await?;
    let run = row.run_id.to_string();
    Ok(Json(explain(&app, &caller, &run, Some(row.path)).await?))
}
