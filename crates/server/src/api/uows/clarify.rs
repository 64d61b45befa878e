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
use crate::api::words::{TEXT_MAX, check_text};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// What a unit of work is to know.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClarifyRequest {
    /// In words, 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub text: String,
}

/// Explains what was not clear: what is `zombied_soft` waits for an actor again, the text is its
/// attribute `pilot_clarification`, and how often it was taken is counted anew.
#[utoipa::path(
    post, path = "/api/v1/uows/{uow}/clarify", tag = "units",
    params(("uow" = String, Path, description = "Its id")),
    request_body(content = ClarifyRequest),
    responses(
        (status = 200, description = "It is durable; the unit as it is now", body = UnitBody),
        (status = 409, description = "It stands where this cannot be done: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn clarify_uow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<ClarifyRequest>,
) -> Result<Json<UnitBody>, Problem> {
    check_text("text", &request.text, TEXT_MAX)?;
    act(&app, &caller, &word, PilotAct::Clarify { text: request.text }).await
}
