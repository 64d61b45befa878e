use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::limits::PAYLOAD_BYTES_MAX;
use windlass_engine::Delivered;

use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key};

/// An event.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventRequest {
    /// What it says: the output of every step that has waited for it.
    pub data: Value,
}

/// What has become of an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventBody {
    /// How many steps have gone on because of it.
    pub taken: usize,
}

/// Reports an event that steps may wait for (`wait_event`).
///
/// Every step of the project that waits for an event of this name, and whose `match` fits its data,
/// goes on, durably before this is answered. An event that nobody waits for is not kept. If some
/// steps could not be told, the answer is 503 `unavailable`; sent again, it reaches those that are
/// left, and nobody twice.
#[utoipa::path(
    post, path = "/api/v1/events/{name}", tag = "runs",
    params(("name" = String, Path, description = "1 to 256 bytes, such as `order.paid`")),
    request_body(content = EventRequest),
    responses(
        (status = 200, body = EventBody),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn send_event(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
    Body(request): Body<EventRequest>,
) -> Result<Json<EventBody>, Problem> {
    key::check("name", &name)?;
    if windlass_core::json::size(&request.data) > PAYLOAD_BYTES_MAX {
        let message = format!("`data` may have at most {PAYLOAD_BYTES_MAX} bytes");
        return Err(Problem::new(problem::INVALID_REQUEST, message));
    }
    let (project, by) = (caller.project(), caller.name());
    let Delivered { taken, failed } = app.engine.deliver(project, &name, request.data, by).await?;
    if failed > 0 {
        let message = format!("{taken} steps have it, {failed} could not be told; send it again");
        return Err(Problem::new(problem::UNAVAILABLE, message));
    }
    Ok(Json(EventBody { taken }))
}
