use axum::Json;
use axum::extract::State;
use windlass_store::InstanceStatus;

use super::ReasonRequest;
use crate::access::Caller;
use crate::api::instance::InstanceBody;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::units;

/// Ends the pause of an instance.
#[utoipa::path(
    post, path = "/api/v1/instances/{instance}/resume", tag = "instances",
    params(("instance" = String, Path, description = "Id or name")),
    request_body(content = ReasonRequest),
    responses(
        (status = 200, description = "As it is now", body = InstanceBody),
        (status = 409, description = "It is archived: `instance-inactive`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn resume_instance(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<ReasonRequest>,
) -> Result<Json<InstanceBody>, Problem> {
    let status = InstanceStatus::Active;
    let row = units::status::set(&app, &caller, &word, status, request.reason).await?;
    Ok(Json(InstanceBody::from(&row)))
}
