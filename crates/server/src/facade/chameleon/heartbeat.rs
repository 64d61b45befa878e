use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{hold, refusal, unit_of};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::scope_of;
use crate::app::Shared;
use crate::facade::trouble::id;
use crate::facade::{Detail, DetailResponses, Old};
use windlass_engine::desk::TaskRefused;

/// Who is alive.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct ActorRequest {
    /// The actor that holds the unit.
    #[schema(format = Uuid)]
    pub actor_id: String,
}

/// That it was heard.
#[derive(Debug, Serialize, ToSchema)]
pub struct BeatBody {
    /// True.
    pub success: bool,
    /// In words.
    pub message: String,
    /// When, RFC 3339.
    #[schema(format = DateTime)]
    pub timestamp: String,
}

/// A sign of life: the unit of work is the actor's own for another while.
#[utoipa::path(
    post, path = "/workflow/uow/{uow}/heartbeat",
    operation_id = "chameleon_heartbeat", tag = "facades",
    params(("uow" = Uuid, Path, description = "The unit's id")),
    request_body(content = ActorRequest),
    responses((status = 200, body = BeatBody), DetailResponses)
)]
pub async fn beat(
    State(app): Shared,
    caller: Caller,
    Named(uow_id): Named<String>,
    Old(request): Old<ActorRequest>,
) -> Result<Json<BeatBody>, Detail> {
    let unit_id = unit_of(&app, &caller, &uow_id).await?;
    let hold = hold(id("actor_id", &request.actor_id)?);
    let heard = app.engine.heartbeat_task(&scope_of(&caller), unit_id, &hold, None).await;
    let why = match heard {
        Ok(beat) => beat.cancel.map(TaskRefused::Over),
        Err(why) => Some(why),
    };
    if let Some(why) = why {
        return Err(refusal(&app, &caller, unit_id, why).await);
    }
    let timestamp = app.engine.clock().now().to_string();
    Ok(Json(BeatBody { success: true, message: "the heartbeat was heard".to_owned(), timestamp }))
}
