use axum::Json;
use axum::extract::State;
use windlass_core::run::PilotAct;

use super::answer;
use crate::access::Caller;
use crate::api::intervention::InterventionBody;
use crate::api::query::Named;
use crate::api::uows::PilotRequest;
use crate::api::words::{TEXT_MAX, check_text};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Says no: the unit is cancelled.
#[utoipa::path(
    post, path = "/api/v1/interventions/{intervention}/reject", tag = "units",
    params(("intervention" = String, Path, description = "Its id")),
    request_body(content = PilotRequest),
    responses(
        (status = 200, description = "It is durable", body = InterventionBody),
        (status = 409, description = "It was answered already: `unit-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn reject_intervention(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<PilotRequest>,
) -> Result<Json<InterventionBody>, Problem> {
    check_text("reason", &request.reason, TEXT_MAX)?;
    let reason = request.reason;
    answer(&app, &caller, &word, |_| Ok(PilotAct::Cancel { reason })).await
}
