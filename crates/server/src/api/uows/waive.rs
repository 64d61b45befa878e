use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use windlass_core::run::PilotAct;

use super::act;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::unit::UnitBody;
use crate::api::words::{NAME_MAX, TEXT_MAX, check_text};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Which guardian is waived, and why.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiveRequest {
    /// The guardian, by name.
    #[schema(min_length = 1, max_length = 200)]
    pub guardian: String,
    /// Why, 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reason: String,
}

/// Lets a unit pass a guardian: one that is `paused`, that was refused, or that waits for its set. It
/// waits for an actor again where it was, and the guardian is not asked about it any more.
#[utoipa::path(
    post, path = "/api/v1/uows/{uow}/waive", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    request_body(content = WaiveRequest),
    responses(
        (status = 200, description = "It is durable; the unit as it is now", body = UnitBody),
        (status = 409, description = "It stands where this cannot be done: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn waive_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<WaiveRequest>,
) -> Result<Json<UnitBody>, Problem> {
    check_text("guardian", &request.guardian, NAME_MAX)?;
    check_text("reason", &request.reason, TEXT_MAX)?;
    let WaiveRequest { guardian: rule, reason } = request;
    act(&app, &caller, &word, PilotAct::Waive { rule, reason }).await
}
