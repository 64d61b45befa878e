use axum::Json;
use axum::extract::State;
use windlass_engine::Halt;

use super::HaltBody;
use crate::access::Caller;
use crate::api::runs::cancel::CancelRequest;
use crate::app::Shared;
use crate::http::{Body, Problem, ProblemResponses};

/// Stops everything: no run begins, no attempt is made, no timer fires, in any project. Attempts
/// under way may end. New runs are taken and wait. It lasts over restarts.
#[utoipa::path(
    put, path = "/api/v1/halt", tag = "operations",
    request_body(content = CancelRequest),
    responses((status = 200, body = HaltBody), ProblemResponses)
)]
pub async fn set_halt(
    State(app): Shared,
    caller: Caller,
    Body(request): Body<CancelRequest>,
) -> Result<Json<HaltBody>, Problem> {
    let reason = request.reason.map(|reason| reason.chars().take(1_000).collect());
    let halt = Halt { at: app.engine.clock().now(), by: caller.name().to_owned(), reason };
    app.engine.halt(Some(halt.clone())).await?;
    Ok(Json(Some(halt).into()))
}
