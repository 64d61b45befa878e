use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::limits::DETAILS_BYTES_MAX;
use windlass_core::run::AttemptError;
use windlass_core::{Failure, json};

use super::{hold, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// The code of an error that names none.
const CODE: &str = "worker_error";
/// The longest code, and the longest message, in bytes.
const CODE_BYTES_MAX: usize = 64;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Why a task has failed.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FailRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
    /// One sentence for people, at most 64 KiB.
    pub message: String,
    /// A stable word of at most 64 letters, digits and `_`, for `retry.on`. `worker_error` if left
    /// out.
    #[serde(default)]
    #[schema(pattern = "^[a-z][a-z0-9_]{0,63}$")]
    pub code: Option<String>,
    /// Whether another attempt makes sense. True if left out.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// What a program may want to know, at most 1 MiB.
    #[serde(default)]
    pub details: Option<Value>,
}

fn yes() -> bool {
    true
}

/// Ends a task with an error. Whether the step is tried again is for its `retry` to say.
///
/// 204 means that it is durable. Said again by the same worker, it counts once.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/fail", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = FailRequest),
    responses(
        (status = 204, description = "It is durable"),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn fail_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<FailRequest>,
) -> Result<StatusCode, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker.clone(), request.fence)?);
    let error = error_of(request)?;
    app.engine.fail_task(&scope_of(&caller), id, &hold, error).await.map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}

fn error_of(request: FailRequest) -> Result<AttemptError, Problem> {
    let refuse = |field: &str, message: &str| Err(Problem::parameter(field, message).in_body());
    let code = request.code.unwrap_or_else(|| CODE.to_owned());
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins_well = code.starts_with(|first: char| first.is_ascii_lowercase());
    if code.len() > CODE_BYTES_MAX || !begins_well || !code.bytes().all(is_letter) {
        return refuse("code", "a code has up to 64 lower-case letters, digits and `_`");
    }
    if request.message.len() > MESSAGE_BYTES_MAX {
        return refuse("message", "a message has at most 64 KiB");
    }
    if request.details.as_ref().is_some_and(|details| json::size(details) > DETAILS_BYTES_MAX) {
        return refuse("details", "details have at most 1 MiB");
    }
    let mut failure = Failure::new(code, request.message);
    failure.details = request.details;
    Ok(AttemptError::new(failure, !request.retryable))
}
