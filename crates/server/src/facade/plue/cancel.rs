use axum::Json;
use axum::extract::State;
use windlass_engine::shard::Command;

use super::OkBody;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::runs::cancel::order;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses};
use crate::http::problem::{self, Problem};

/// Cancels a run. 400 if it is over.
#[utoipa::path(
    post, path = "/api/workflows/runs/{run}/cancel", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = OkBody), DetailResponses)
)]
pub async fn cancel_plue_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<OkBody>, Detail> {
    let cancel = |by, reason| Command::Cancel { by, reason };
    match order(&app, &caller, &word, None, None, cancel).await {
        Ok(_) => Ok(Json(OkBody { ok: true })),
        Err(over) if over.code == problem::WRONG_STATE => Err(Detail(Problem::parameter(
            "run",
            format!("it cannot be cancelled: {}", over.detail),
        ))),
        Err(other) => Err(other.into()),
    }
}
