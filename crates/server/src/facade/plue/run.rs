use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::limits::LABEL_BYTES_MAX;

use crate::access::Caller;
use crate::api::workflows::execute::{ExecuteRequest, start};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, Old};

/// What has started a run.
pub(super) const TRIGGER_LABEL: &str = "trigger_type";

/// What is to be run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct PlueRunRequest {
    /// The workflow, by id.
    pub workflow_definition_id: Option<String>,
    /// The workflow, by name.
    pub workflow_name: Option<String>,
    /// Goes with the name. Names are unique in the key's project, so it says nothing here.
    pub repository_id: Option<Value>,
    /// What starts it. `manual` if left out.
    pub trigger_type: Option<String>,
    /// What came with that: the input's field `trigger`, if the workflow's schema has one.
    pub trigger_payload: Option<Value>,
    /// The input.
    pub inputs: Option<Map<String, Value>>,
}

/// That a run is queued.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlueStarted {
    /// The run.
    pub run_id: Uuid,
    /// The same: a run is one task.
    pub task_id: Uuid,
    /// `queued`.
    pub status: &'static str,
}

/// Runs a deployed workflow.
#[utoipa::path(
    post, path = "/api/workflows/run", tag = "facades",
    request_body(content = PlueRunRequest),
    responses((status = 201, description = "It is durable", body = PlueStarted), DetailResponses)
)]
pub async fn run_workflow(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<PlueRunRequest>,
) -> Result<(StatusCode, Json<PlueStarted>), Detail> {
    let named = request.workflow_definition_id.or(request.workflow_name);
    let word = named.filter(|word| !word.is_empty()).ok_or_else(|| {
        Detail::field("workflow_definition_id", "it or `workflow_name` is needed")
    })?;
    let trigger = request.trigger_type.filter(|word| !word.is_empty());
    let trigger = trigger.unwrap_or_else(|| "manual".to_owned());
    if trigger.len() > LABEL_BYTES_MAX {
        return Err(Detail::field("trigger_type", &format!("at most {LABEL_BYTES_MAX} bytes")));
    }
    let mut input = request.inputs.unwrap_or_default();
    if let Some(payload) = request.trigger_payload.filter(|payload| !payload.is_null())
        && takes_trigger(&app, &caller, &word).await?
    {
        input.entry("trigger").or_insert(payload);
    }
    let request = ExecuteRequest {
        input: Some(Value::Object(input)),
        labels: BTreeMap::from([(TRIGGER_LABEL.to_owned(), trigger)]),
        external_id: None,
    };
    let run = start(&app, &caller, &word, request, None, None).await?;
    let body = PlueStarted { run_id: run.id, task_id: run.id, status: "queued" };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Whether the workflow wants to know what has started it.
async fn takes_trigger(app: &crate::app::App, caller: &Caller, word: &str) -> Result<bool, Detail> {
    let workflow = crate::api::workflow::find(app, caller.project(), word).await?;
    let schema = workflow.plan.input.as_ref().map(windlass_core::schema::Schema::source);
    Ok(schema.is_some_and(|schema| schema["properties"].get("trigger").is_some()))
}
