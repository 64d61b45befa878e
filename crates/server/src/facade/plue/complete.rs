use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::Failure;
use windlass_core::run::{AttemptError, Outcome};

use super::{OkBody, held};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::{refused, scope_of};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, Old};

/// The longest message of an error, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// What has come of a task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct RunnerDone {
    /// Whether it went well.
    pub success: bool,
    /// The step's output.
    #[serde(default)]
    pub output: Option<Value>,
    /// Likewise, as some runners call it.
    #[serde(default)]
    pub result: Option<Value>,
    /// What went wrong: a text, or any JSON.
    #[serde(default)]
    pub error: Option<Value>,
}

/// Ends a task; its runner is free for another one.
#[utoipa::path(
    post, path = "/internal/tasks/{task}/complete", tag = "facades",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = RunnerDone),
    responses((status = 200, description = "It is durable", body = OkBody), DetailResponses)
)]
pub async fn complete(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Old(done): Old<RunnerDone>,
) -> Result<Json<OkBody>, Detail> {
    let (task_id, hold) = held(&app, &caller, &word)?;
    let scope = scope_of(&caller);
    let ended = if done.success {
        let output = done.output.or(done.result).unwrap_or_default();
        app.engine.complete_task(&scope, task_id, &hold, Outcome::Output(Arc::new(output))).await
    } else {
        let mut message = match done.error {
            None | Some(Value::Null) => "the runner has failed".to_owned(),
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
        };
        let end = (0..=MESSAGE_BYTES_MAX.min(message.len())).rev();
        let end = end.into_iter().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        let error = AttemptError::new(Failure::new("runner_failed", message), false);
        app.engine.fail_task(&scope, task_id, &hold, error).await
    };
    ended.map_err(refused)?;
    Ok(Json(OkBody { ok: true }))
}
