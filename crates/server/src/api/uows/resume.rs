use axum::Json;
use axum::extract::State;
use windlass_core::run::PilotAct;

use super::act;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::unit::UnitBody;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::{Problem, ProblemBody};

/// Lets a unit go on: what is `paused` waits for an actor where it was; what waits for approval is
/// taken as its actor left it.
#[utoipa::path(
    post, path = "/api/v1/uows/{uow}/resume", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "It is durable; the unit as it is now", body = UnitBody),
        (status = 409, description = "It stands where this cannot be done: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn resume_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<UnitBody>, Problem> {
    act(&app, &caller, &word, PilotAct::Resume).await
}
