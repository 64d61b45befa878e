use axum::Json;
use axum::extract::State;

use super::HaltBody;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// Lets everything go on.
#[utoipa::path(
    delete, path = "/api/v1/halt", tag = "operations",
    responses((status = 200, body = HaltBody), ProblemResponses)
)]
pub async fn release_halt(State(app): Shared) -> Result<Json<HaltBody>, Problem> {
    app.engine.halt(None).await?;
    Ok(Json(None.into()))
}
