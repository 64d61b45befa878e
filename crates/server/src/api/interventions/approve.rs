use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use windlass_core::run::PilotAct;

use super::answer;
use crate::access::Caller;
use crate::api::intervention::InterventionBody;
use crate::api::query::Named;
use crate::api::words::{TEXT_MAX, check_text_if};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// What there is to say.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApproveRequest {
    /// Why; of a clarification, what the unit is to know, and needed. 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reason: Option<String>,
}

/// Says yes. A unit that was stopped goes on where it was; what an actor has made of one counts; a
/// unit that is stuck gets the reason as its `pilot_clarification`.
#[utoipa::path(
    post, path = "/api/v1/interventions/{intervention}/approve", tag = "units",
    params(("intervention" = String, Path, description = "Its id")),
    request_body(content = ApproveRequest),
    responses(
        (status = 200, description = "It is durable", body = InterventionBody),
        (status = 409, description = "It was answered already: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn approve_intervention(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<ApproveRequest>,
) -> Result<Json<InterventionBody>, Problem> {
    check_text_if("reason", request.reason.as_deref(), TEXT_MAX)?;
    let means = |kind: &str| match (kind, request.reason) {
        ("clarification", Some(text)) => Ok(PilotAct::Clarify { text }),
        ("clarification", None) => {
            let message = "what the unit is to know: it asks for a clarification";
            Err(Problem::parameter("reason", message).in_body())
        }
        (_, Some(reason)) => Ok(PilotAct::Approve { reason }),
        (_, None) => Ok(PilotAct::Resume),
    };
    answer(&app, &caller, &word, |row| means(&row.kind)).await
}
