use axum::Json;
use axum::extract::State;

use windlass_core::run::PilotAct;

use super::{PilotRequest, act};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::unit::UnitBody;
use crate::api::words::{TEXT_MAX, check_text};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Says no: what is `paused` or waits for approval has failed, and goes to EPSILON; what is
/// `zombied_soft` is stuck for good; what is `zombied_dead` has failed for good.
#[utoipa::path(
    post, path = "/api/v1/uows/{uow}/cancel", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    request_body(content = PilotRequest),
    responses(
        (status = 200, description = "It is durable; the unit as it is now", body = UnitBody),
        (status = 409, description = "It stands where this cannot be done: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn cancel_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<PilotRequest>,
) -> Result<Json<UnitBody>, Problem> {
    check_text("reason", &request.reason, TEXT_MAX)?;
    act(&app, &caller, &word, PilotAct::Cancel { reason: request.reason }).await
}
