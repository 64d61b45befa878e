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

/// Archives an instance, for good: nobody may take units of it any more, and none may be added.
#[utoipa::path(
    post, path = "/api/v1/instances/{instance}/archive", tag = "instances",
    params(("instance" = String, Path, description = "Id or name")),
    request_body(content = ReasonRequest),
    responses(
        (status = 200, description = "As it is now", body = InstanceBody),
        (status = 409, description = "It is archived: `instance-inactive`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn archive_instance(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<ReasonRequest>,
) -> Result<Json<InstanceBody>, Problem> {
    let status = InstanceStatus::Archived;
    let row = units::status::set(&app, &caller, &word, status, request.reason).await?;
    Ok(Json(InstanceBody::from(&row)))
}
