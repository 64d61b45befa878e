use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::Caller;
use crate::api::execute::{answer, check_labels, execute, new_run};
use crate::api::query::Named;
use crate::api::run::RunBody;
use crate::api::workflow::find;
use crate::app::{App, Shared};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key, prefer};

/// What a run is to be.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExecuteRequest {
    /// The input. `{}` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Searchable keys and values, besides those of the definition.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls the run. Unique; the run is found by it.
    pub external_id: Option<String>,
}

/// Runs a workflow's newest version.
///
/// Answers 202 once the run is durable. With `Prefer: wait=N`, answers 200 with the finished run,
/// or 202 if it is not finished within N seconds. With `Idempotency-Key`, the same key and body
/// give the same run for 7 days, as it then is; another body is `key-reused`.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflow}/execute", tag = "workflows",
    params(
        ("workflow" = String, Path, description = "Id or name"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds"),
    ),
    request_body(content = ExecuteRequest),
    responses(
        (status = 202, description = "It is durable", body = RunBody),
        (status = 200, description = "It is over", body = RunBody),
        (status = 409, description = "`external-id-taken`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`input-too-large`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-input`, `invalid-request` or `key-reused`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn execute_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
    Body(request): Body<ExecuteRequest>,
) -> Result<Response, Problem> {
    let wait = prefer::wait(&headers, app.config.server.wait_time_max.0)?;
    let key = key::from_headers(&headers)?;
    Ok(answer(start(&app, &caller, &word, request, key, wait).await?, wait))
}

/// Creates a run of a workflow and, if the caller would wait, waits for its end.
///
/// # Errors
///
/// `workflow-not-found`, or what is wrong with the request.
pub async fn start(
    app: &Arc<App>,
    caller: &Caller,
    word: &str,
    request: ExecuteRequest,
    key: Option<String>,
    wait: Option<Duration>,
) -> Result<RunBody, Problem> {
    check_labels(&request.labels)?;
    if let Some(external_id) = &request.external_id {
        key::check("external_id", external_id)?;
    }
    let workflow = find(app, caller.project(), word).await?;
    let key = key.map(|key| {
        let content = serde_json::to_value(&request).unwrap_or_default();
        key::for_execute(workflow.row.workflow_id, key, &content)
    });
    let mut run = new_run(&workflow, input_of(request.input), request.labels);
    run.external_id = request.external_id;
    run.key = key;
    execute(app, caller, run, wait).await
}

/// A run without an input has an empty one.
pub(super) fn input_of(input: Option<Value>) -> Value {
    input.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}
