//! `Idempotency-Key`: the same key and request give the same run, for 7 days.

use axum::http::{HeaderMap, HeaderName};
use serde_json::Value;
use uuid::Uuid;
use windlass_core::limits::LABEL_BYTES_MAX;
use windlass_engine::content_hash;
use windlass_store::IdempotencyKey;

use super::problem::Problem;

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a header says.
///
/// # Errors
///
/// If it is no text, or too long.
pub fn from_headers(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().ok().map(str::to_owned);
    let text =
        text.ok_or_else(|| Problem::parameter("Idempotency-Key", "only visible ASCII characters"))?;
    check("Idempotency-Key", &text)?;
    Ok(Some(text))
}

/// Refuses what cannot be a key or an external id.
///
/// # Errors
///
/// If it is empty or too long.
pub fn check(name: &str, text: &str) -> Result<(), Problem> {
    match text.len() {
        1..=LABEL_BYTES_MAX => Ok(()),
        _ => Err(Problem::parameter(name, format!("1 to {LABEL_BYTES_MAX} bytes are possible"))),
    }
}

/// A key that creates runs of a workflow. One run of a batch and a run of its own are the same
/// route, so a client may repeat in the one way what it has sent in the other.
pub fn for_execute(workflow_id: Uuid, key: String, request: &Value) -> IdempotencyKey {
    let route = format!("execute/{workflow_id}");
    IdempotencyKey { route, key, request_hash: content_hash(request) }
}

/// A key that gives an instance units of work.
pub fn for_unit(instance_id: Uuid, key: String, request: &Value) -> IdempotencyKey {
    IdempotencyKey { route: format!("uow/{instance_id}"), key, request_hash: content_hash(request) }
}

/// A key that repeats a run.
pub fn for_rerun(run_id: Uuid, key: String, request: &Value) -> IdempotencyKey {
    IdempotencyKey { route: format!("rerun/{run_id}"), key, request_hash: content_hash(request) }
}

/// The key under which a failed run is resumed with the others of its workflow: whoever asks for
/// that at the same time gets the same run.
pub fn for_rerun_failed(run_id: Uuid) -> IdempotencyKey {
    let route = format!("rerun-failed/{run_id}");
    IdempotencyKey { route, key: String::new(), request_hash: content_hash(&Value::Null) }
}
