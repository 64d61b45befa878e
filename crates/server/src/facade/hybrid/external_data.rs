use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DATA_PREFIX, StateBody, StepState, find, read, run_word, state};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::runs::signal::{SignalRequest, send};
use crate::app::Shared;
use crate::facade::trouble::said;
use crate::facade::{Detail, DetailResponses, Old};

/// The longest name of a step, in bytes: that of its signal has a prefix.
const NAME_BYTES_MAX: usize = 200;

/// Data from outside.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct DataRequest {
    /// What came in.
    pub content: Value,
    /// Where it is from.
    #[serde(default)]
    pub source_url: Option<String>,
    /// What it is. `text` if left out.
    #[serde(default)]
    pub content_type: Option<String>,
    /// More about it.
    #[serde(default)]
    pub metadata: Option<Value>,
    /// The name or the id of the step that it is for, or the name of the one that it becomes.
    #[serde(default)]
    pub step_name: Option<String>,
    /// What that step is said to do. `external_data` if left out.
    #[serde(default)]
    pub action_type: Option<String>,
}

/// What has become of data.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataBody {
    /// The step that has it.
    pub step_id: String,
    /// The run.
    pub workflow_id: String,
    /// The steps that waited for it.
    pub queued_dependents: Vec<String>,
    /// Where the run stands.
    pub status: &'static str,
}

/// Gives a run data from outside: to the step of that name which waits for it (`action:
/// external_data`), or, if there is none, as a further step that is completed.
#[utoipa::path(
    post, path = "/api/workflows/{run}/external-data", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    request_body(content = DataRequest),
    responses((status = 200, body = DataBody), DetailResponses)
)]
pub async fn add_data(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Old(request): Old<DataRequest>,
) -> Result<Json<DataBody>, Detail> {
    let row = find(&app, &caller, &word).await?;
    let name = request.step_name.as_deref().filter(|name| !name.trim().is_empty());
    let name = said("step_name", name.unwrap_or("External data"), NAME_BYTES_MAX)?;
    let payload = json!({
        "content": request.content,
        "source_url": request.source_url,
        "content_type": request.content_type.as_deref().unwrap_or("text"),
        "metadata": request.metadata,
        "action_type": request.action_type.as_deref().unwrap_or("external_data"),
    });
    let plan = app.engine.definitions().plan(row.definition_id).ok();
    let waiting = plan.as_deref().and_then(|plan| Some((plan, state::waits(plan, &name)?)));
    let name = waiting.map_or_else(|| name.clone(), |(_, (_, own))| own.to_owned());
    let signal_id = Uuid::new_v4().to_string();
    let run_id = row.run_id.to_string();
    let signal = SignalRequest { payload };
    let id = Some(signal_id.clone());
    send(&app, &caller, &run_id, format!("{DATA_PREFIX}{name}"), signal, id).await?;
    let (step_id, queued_dependents) = match waiting {
        Some((plan, (node, _))) => {
            let targets = node.edges.iter();
            let targets = targets.filter_map(|edge| plan.graph.nodes.get(edge.target as usize));
            let targets = targets.filter(|node| state::origin(plan, &node.id).is_some());
            let targets = targets.map(|node| state::step_id(plan, &node.id)).collect();
            (state::step_id(plan, &node.id), targets)
        }
        None => (signal_id, Vec::new()),
    };
    let now = find(&app, &caller, &word).await?;
    Ok(Json(DataBody {
        step_id,
        workflow_id: word,
        queued_dependents,
        status: run_word(now.status),
    }))
}

/// Data that a run was given from outside, as steps.
#[utoipa::path(
    get, path = "/api/workflows/{run}/external-data", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = Vec<StepState>), DetailResponses)
)]
pub async fn list_data(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<Vec<StepState>>, Detail> {
    let StateBody { steps, .. } = read(&app, &caller, &word).await?;
    let is_data = |step: &StepState| {
        let brought = step.outputs.as_ref().and_then(|outputs| outputs.get("action_type"));
        // Another step may pass on what was brought.
        let is_own = |kind: &Value| step.action == "external_data" || *kind == step.action;
        brought.is_some_and(is_own) && step.status == "COMPLETED"
    };
    Ok(Json(steps.into_iter().filter(is_data).collect()))
}
