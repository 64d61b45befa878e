use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use windlass_core::limits::LABEL_BYTES_MAX;
use windlass_store::Deployed;

use super::steps::{self, Actions, StepRequest};
use super::{ID_LABEL, KEPT_PREFIX, PREFIX, StateBody, kept, read, shipped};
use crate::access::Caller;
use crate::api::execute::{execute, new_run};
use crate::api::workflow::find;
use crate::app::{App, Shared};
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::observe::{event, take};

/// What stands at the place of an id in other paths.
const TAKEN: [&str; 3] = ["run", "runs", "from-template"];
/// The longest name.
const NAME_BYTES_MAX: usize = 180;

/// A run, as the document that the hybrid engine keeps of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct StateRequest {
    /// What the client calls it: 1 to 256 bytes. Made up if left out.
    pub id: Option<String>,
    /// What people call it. `Workflow` if left out.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stood, if the document was written by an engine. `STOPPED`: it waits to be resumed.
    /// `COMPLETED` and `FAILED`: it is over, and is only kept to be looked at.
    pub status: Option<String>,
    /// Its steps: 1 to 1,000.
    pub steps: Vec<StepRequest>,
    /// When it was created.
    #[serde(rename = "createdAt")]
    pub created_at: Option<String>,
    /// When something last happened in it.
    #[serde(rename = "updatedAt")]
    pub updated_at: Option<String>,
    /// Words to find it by.
    pub tags: Option<Vec<String>>,
    /// What else an engine wrote.
    #[serde(flatten)]
    #[schema(ignore)]
    #[schemars(skip)]
    pub more: Map<String, Value>,
}

/// Takes in a document of steps and runs them. What is `COMPLETED` in it is not done again.
#[utoipa::path(
    post, path = "/api/workflows", tag = "facades",
    request_body(content = StateRequest),
    responses(
        (status = 201, body = StateBody),
        (status = 422, description = "`invalid-definition`",
         body = ProblemBody, content_type = "application/problem+json"),
        DetailResponses
    )
)]
pub async fn create_state(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<StateRequest>,
) -> Result<(StatusCode, Json<StateBody>), Detail> {
    let id = request.id.clone().filter(|id| !id.is_empty());
    if let Some(id) = &id {
        if id.len() > LABEL_BYTES_MAX {
            return Err(Detail::field("id", &format!("at most {LABEL_BYTES_MAX} bytes")));
        }
        if TAKEN.contains(&id.as_str()) || id.contains(char::is_control) {
            return Err(Detail::field("id", &format!("`{id:.60?}` could not be asked for")));
        }
        let (project, word) = (caller.project().to_owned(), id.clone());
        let known = app.engine.read(move |store| super::look_up(store, &project, &word)).await?;
        if known.is_some() {
            let message = format!("there is a workflow `{id:.60}` already");
            return Err(Problem::new(problem::EXTERNAL_ID_TAKEN, message).into());
        }
    }
    let id = match request.status.as_deref() {
        Some("COMPLETED" | "FAILED") => keep(&app, &caller, id, &request).await?,
        _ => run(&app, &caller, id, &request).await?,
    };
    Ok((StatusCode::CREATED, Json(read(&app, &caller, &id).await?)))
}

fn name_of(request: &StateRequest) -> Result<String, Detail> {
    let name = request.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let name = name.unwrap_or("Workflow");
    match name.len() <= NAME_BYTES_MAX {
        true => Ok(name.to_owned()),
        false => Err(Detail::field("name", &format!("at most {NAME_BYTES_MAX} bytes"))),
    }
}

/// Runs what has not been done yet.
async fn run(
    app: &Arc<App>,
    caller: &Caller,
    id: Option<String>,
    request: &StateRequest,
) -> Result<String, Detail> {
    let name = name_of(request)?;
    let document = {
        let known = known_workflows(app, caller, &request.steps).await?;
        let is_kind = |word: &str| app.registry.kinds().get(word).is_some();
        let is_workflow = |word: &str| known.iter().any(|known| known == word);
        let actions = Actions { is_kind: &is_kind, is_workflow: &is_workflow };
        let description = request.description.as_deref().filter(|text| !text.is_empty());
        let created_at = stamp(request.created_at.as_deref());
        steps::definition(&name, description, created_at.as_deref(), &request.steps, &actions)?
    };
    let (checked, deployed) =
        app.engine.deploy(caller.project(), document.to_string(), None).await?;
    if !matches!(deployed, Some(Deployed::New(_) | Deployed::Same(_))) {
        return Err(Problem::findings(problem::INVALID_DEFINITION, checked.findings).into());
    }
    let workflow = find(app, caller.project(), &format!("{PREFIX}{name}")).await?;
    let mut labels = BTreeMap::new();
    if let Some(id) = &id {
        labels.insert(ID_LABEL.to_owned(), id.clone());
    }
    let mut run = new_run(&workflow, Value::Object(Map::new()), labels);
    run.external_id = id.clone();
    run.begins_paused = request.status.as_deref() == Some("STOPPED");
    let run = execute(app, caller, run, None).await?;
    Ok(id.unwrap_or_else(|| run.id.to_string()))
}

/// Which actions of the steps are workflows. Those that ship with Windlass come up when they are used
/// first.
async fn known_workflows(
    app: &App,
    caller: &Caller,
    steps: &[StepRequest],
) -> Result<Vec<String>, Detail> {
    let mut known = Vec::new();
    for action in steps::actions(steps) {
        if app.registry.kinds().get(&action).is_some() {
            continue;
        }
        match shipped::find_or_deploy(app, caller, &action).await {
            Ok(_) => known.push(action),
            Err(missing) if missing.code == problem::WORKFLOW_NOT_FOUND => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(known)
}

/// Keeps a run that is over as one that another engine has driven.
async fn keep(
    app: &App,
    caller: &Caller,
    id: Option<String>,
    request: &StateRequest,
) -> Result<String, Detail> {
    if request.steps.is_empty() {
        return Err(Detail::field("steps", "there is none"));
    }
    let id = id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let name = name_of(request)?;
    let flow = format!("{KEPT_PREFIX}{name}");
    let common = json!({ "flow": flow, "run_id": id });
    let mut said = Vec::new();
    let mut say = |event: &str, more: Value| {
        let mut fields = common.as_object().cloned().unwrap_or_default();
        fields.insert("event".to_owned(), event.into());
        let more = more.as_object().cloned().unwrap_or_default();
        fields.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
        said.push(Value::Object(fields));
    };
    let created = stamp(request.created_at.as_deref());
    let metadata = kept::metadata(request);
    say("flow_started", json!({ "ts": created, "tags": request.tags, "metadata": metadata }));
    for (place, step) in request.steps.iter().enumerate() {
        let node = step.id.clone().unwrap_or_else(|| format!("step_{}", place + 1));
        let task = step.action.clone().unwrap_or_else(|| node.clone());
        let (start, end) = (stamp(step.start_time.as_deref()), stamp(step.end_time.as_deref()));
        if start.is_some() {
            say("task_started", json!({ "node": node, "task": task, "ts": start }));
        }
        for line in step.logs.iter().flatten() {
            let text = line.as_str().map_or_else(|| line.to_string(), str::to_owned);
            say("task_log", json!({ "node": node, "message": text, "ts": start }));
        }
        let ended = |more: Value| {
            let mut fields = json!({ "node": node, "task": task, "ts": end });
            fields.as_object_mut().into_iter().for_each(|fields| {
                fields.extend(more.as_object().cloned().unwrap_or_default());
            });
            fields
        };
        match step.status.as_deref() {
            Some("COMPLETED") => say("task_ok", ended(json!({ "result": step.outputs }))),
            Some("FAILED") => say("task_err", ended(json!({ "error": step.error }))),
            Some("STOPPED") => say("task_cancelled", ended(json!({}))),
            _ => {}
        }
    }
    let status = if request.status.as_deref() == Some("FAILED") { "FAILED" } else { "SUCCEEDED" };
    say("flow_completed", json!({ "ts": stamp(request.updated_at.as_deref()), "status": status }));
    let now = app.engine.clock().now();
    let mut items = Vec::with_capacity(said.len());
    for (index, event) in said.iter().enumerate() {
        let item = event::read(index, event.to_string().as_bytes(), now);
        items.push(item.map_err(|refused| Detail::field("steps", &refused.detail))?);
    }
    let taken = take(app, caller, items, Vec::new()).await?;
    match taken.rejected.into_iter().next() {
        Some(refused) => Err(Detail::field("steps", &refused.detail)),
        None => Ok(id),
    }
}

/// Times of that engine name no zone.
pub(super) fn stamp(text: Option<&str>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let has_zone =
        text.ends_with(['Z', 'z']) || text.rfind(['+', '-']).is_some_and(|place| place > 10);
    Some(if has_zone { text.to_owned() } else { format!("{text}Z") })
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn times_without_a_zone_are_utc() {
        let said = |text| stamp(Some(text)).unwrap();
        assert_eq!(said("2025-06-08T10:00:00"), "2025-06-08T10:00:00Z");
        assert_eq!(said("2025-06-08T10:00:00.5Z"), "2025-06-08T10:00:00.5Z");
        assert_eq!(said("2025-06-08T10:00:00+02:00"), "2025-06-08T10:00:00+02:00");
        assert_eq!(stamp(Some(" ")), None);
    }
}
