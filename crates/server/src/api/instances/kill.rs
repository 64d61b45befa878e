use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::words::{TEXT_MAX, check_text};
use crate::app::Shared;
use crate::http::{Body, Problem, ProblemResponses};
use crate::units;

/// Why everything is to stop.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    /// Why, 1 to 10,000 characters.
    #[schema(min_length = 1, max_length = 10_000)]
    pub reason: String,
}

/// What was stopped.
#[derive(Debug, Serialize, ToSchema)]
pub struct KilledBody {
    /// How many units are `paused` by it.
    pub paused: usize,
}

/// Stops everybody who works on a unit of the instance: each unit that is `active` is `paused`, and a
/// request to pilots asks whether it may go on.
#[utoipa::path(
    post, path = "/api/v1/instances/{instance}/kill-switch", tag = "instances",
    params(("instance" = String, Path, description = "Id or name")),
    request_body(content = KillRequest),
    responses((status = 200, description = "It is durable", body = KilledBody), ProblemResponses)
)]
pub async fn kill_switch(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<KillRequest>,
) -> Result<Json<KilledBody>, Problem> {
    check_text("reason", &request.reason, TEXT_MAX)?;
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let paused = units::pilot::kill(&app, &caller, &instance, &request.reason).await?;
    Ok(Json(KilledBody { paused }))
}
