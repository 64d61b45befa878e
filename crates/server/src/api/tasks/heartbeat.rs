use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::json;
use windlass_core::limits::DETAILS_BYTES_MAX;

use super::{hold, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Bytes of what a worker says for whoever looks on.
const PROGRESS_BYTES_MAX: usize = 16 * 1024;

/// Who holds the task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
}

/// A sign of life.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
    /// How far it has come, for whoever looks on: at most 16 KiB, kept as long as the lease.
    #[serde(default)]
    pub progress: Option<Value>,
    /// How far it has come, in a form that another worker can go on from: at most 1 MiB, kept.
    #[serde(default)]
    pub checkpoint: Option<Value>,
}

/// How it stands with a lease.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatBody {
    /// Whether the worker is to stop: nobody wants the task's end any more.
    pub cancel: bool,
    /// Why: `cancelled`, `timed_out` or `worker_lost`.
    pub reason: Option<&'static str>,
    /// Until when the task is the worker's own, RFC 3339.
    #[schema(format = DateTime)]
    pub lease_until: String,
}

/// Prolongs a lease, and asks whether to stop.
///
/// Three in each lease are about right, so that one may get lost. With `cancel`, the worker stops and
/// lets go of the task; nothing need be said of it any more.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/heartbeat", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = HeartbeatRequest),
    responses(
        (status = 200, body = HeartbeatBody),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn heartbeat(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<HeartbeatRequest>,
) -> Result<Json<HeartbeatBody>, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker, request.fence)?);
    let scope = scope_of(&caller);
    let bounded = |field: &str, value: &Option<Value>, most: usize| match value {
        Some(value) if json::size(value) > most => {
            let message = format!("`{field}` has at most {most} bytes");
            Err(Problem::parameter(field, message).in_body())
        }
        _ => Ok(()),
    };
    bounded("progress", &request.progress, PROGRESS_BYTES_MAX)?;
    bounded("checkpoint", &request.checkpoint, DETAILS_BYTES_MAX)?;
    let beat = app.engine.heartbeat_task(&scope, id, &hold, request.progress).await;
    let beat = beat.map_err(refused)?;
    if let Some(checkpoint) = request.checkpoint.filter(|_| beat.cancel.is_none()) {
        app.engine.checkpoint_task(&scope, id, &hold, checkpoint).await.map_err(refused)?;
    }
    Ok(Json(HeartbeatBody {
        cancel: beat.cancel.is_some(),
        reason: beat.cancel.map(|why| why.as_str()),
        lease_until: app.engine.clock().now().plus(beat.lease).to_string(),
    }))
}
