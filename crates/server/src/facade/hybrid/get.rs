use axum::Json;
use axum::extract::State;

use super::{StateBody, read};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};

/// A run as the hybrid engine's workflow.
#[utoipa::path(
    get, path = "/api/workflows/{run}", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = StateBody), DetailResponses)
)]
pub async fn get_state(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<StateBody>, Detail> {
    Ok(Json(read(&app, &caller, &word).await?))
}
