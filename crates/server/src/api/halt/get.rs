use axum::Json;
use axum::extract::State;

use super::HaltBody;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// Whether everything is stopped, by whom and why.
#[utoipa::path(
    get, path = "/api/v1/halt", tag = "operations",
    responses((status = 200, body = HaltBody), ProblemResponses)
)]
pub async fn get_halt(State(app): Shared) -> Result<Json<HaltBody>, Problem> {
    Ok(Json(app.engine.halted().into()))
}
