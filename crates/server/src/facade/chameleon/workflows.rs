//! The older set: workflows that are created of a list of steps and executed. Under the same paths
//! stand instances of templates, which the engine called workflows, too.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::limits::LABEL_BYTES_MAX;
use windlass_core::run::RunStatus;
use windlass_core::run::token::UnitStatus;
use windlass_store::{
    Deployed, InstanceRow, RunFilter, Store, StoreError, UnitFilter, WorkflowRow,
};

use super::steps::definition;
use super::uows::UowBody;
use super::{TEXT_BYTES_MAX, shown};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::workflow::find_row;
use crate::api::workflows::execute::{ExecuteRequest, start};
use crate::app::{App, Shared};
use crate::facade::trouble::said;
use crate::facade::{Detail, DetailResponses, Old, OldQuery};
use crate::http::paging::{LIMIT_MAX, cursor, limit, place};
use crate::http::problem::{self, Problem};

/// A workflow to be created.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct CreateWorkflowRequest {
    /// What people call it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Its steps, one behind the other: names, or objects with `type` and `config`.
    #[serde(default)]
    pub steps: Vec<Value>,
}

/// A workflow.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OldWorkflowBody {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// `created`, `running`, `completed`, `failed` or `cancelled`; of an instance `ACTIVE`, `PAUSED`
    /// or `ARCHIVED`.
    pub status: String,
    /// What it is for.
    pub description: Option<String>,
}

/// What to begin with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(default)]
pub struct OldExecuteRequest {
    /// The input.
    pub input: Option<Map<String, Value>>,
}

/// That a workflow runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunningBody {
    /// The workflow.
    pub workflow_id: Uuid,
    /// `running`.
    pub status: &'static str,
    /// In words.
    pub message: String,
    /// The run.
    pub run_id: Uuid,
}

/// In words.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageBody {
    /// In words.
    pub message: String,
}

/// Where a workflow stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusBody {
    /// The workflow or instance.
    pub workflow_id: Uuid,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub status: String,
    /// How many units of work it has.
    pub total_uows: u64,
    /// How many of them stand where.
    pub uows_by_status: BTreeMap<String, u64>,
}

/// Units of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct UowList {
    /// The instance.
    pub workflow_id: Uuid,
    /// The newest first.
    pub uows: Vec<UowBody>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
}

/// Which units of work.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct UowsQuery {
    /// Only those that stand there, such as `PENDING`.
    pub uow_status: Option<String>,
    /// How many, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// What the word of a path means.
enum Meant {
    Instance(InstanceRow),
    Workflow(WorkflowRow),
}

/// An instance by its id, else a workflow by id or name.
async fn meant(app: &App, caller: &Caller, word: &str) -> Result<Meant, Detail> {
    if let Ok(instance_id) = Uuid::parse_str(word) {
        let (project, word) = (caller.project().to_owned(), instance_id.to_string());
        let row = app.engine.read(move |store| store.instance(&project, &word)).await?;
        if let Some(row) = row.filter(|row| row.instance_id == instance_id) {
            return Ok(Meant::Instance(row));
        }
    }
    Ok(Meant::Workflow(find_row(app, caller.project(), word).await?))
}

/// Where the newest run of a workflow stands, in the engine's words.
fn standing(
    store: &dyn Store,
    project: &str,
    workflow_id: Uuid,
) -> Result<&'static str, StoreError> {
    let filter = RunFilter { workflow_id: Some(workflow_id), ..RunFilter::default() };
    let newest = store.runs(project, &filter, None, 1)?.items.pop();
    Ok(match newest.map(|run| run.status) {
        None => "created",
        Some(RunStatus::Succeeded) => "completed",
        Some(RunStatus::Failed) => "failed",
        Some(RunStatus::Cancelled) => "cancelled",
        Some(_) => "running",
    })
}

fn body_of(
    store: &dyn Store,
    project: &str,
    row: WorkflowRow,
) -> Result<OldWorkflowBody, StoreError> {
    let status = standing(store, project, row.workflow_id)?.to_owned();
    let WorkflowRow { workflow_id: id, name, description, .. } = row;
    Ok(OldWorkflowBody { id, name, status, description })
}

fn body_of_instance(row: InstanceRow) -> OldWorkflowBody {
    let InstanceRow { instance_id: id, name, description, status, .. } = row;
    OldWorkflowBody { id, name, status: shown(status.as_str()), description }
}

/// All workflows, by name.
#[utoipa::path(
    get, path = "/workflows",
    operation_id = "chameleon_list_workflows", tag = "facades",
    responses(
        (status = 200, description = "JSON, unless `Accept` names `text/html`",
         body = Vec<OldWorkflowBody>),
        DetailResponses
    )
)]
pub async fn list_workflows(
    State(app): Shared,
    caller: Caller,
) -> Result<Json<Vec<OldWorkflowBody>>, Detail> {
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let page = store.workflows(&project, None, LIMIT_MAX)?;
        page.items.into_iter().map(|row| body_of(store, &project, row)).collect()
    };
    Ok(Json(app.engine.read(read).await?))
}

/// Creates a workflow of steps, one behind the other. A name that is taken gets a further version.
#[utoipa::path(
    post, path = "/workflows", tag = "facades",
    request_body(content = CreateWorkflowRequest),
    responses((status = 200, body = OldWorkflowBody), DetailResponses)
)]
pub async fn create_workflow(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<CreateWorkflowRequest>,
) -> Result<Json<OldWorkflowBody>, Detail> {
    let name = said("name", &request.name, LABEL_BYTES_MAX)?;
    let description = request.description.filter(|text| !text.trim().is_empty());
    let description =
        description.map(|text| said("description", &text, TEXT_BYTES_MAX)).transpose()?;
    let document = definition(&name, description.as_deref(), &request.steps)?;
    let deployed = app.engine.deploy(caller.project(), document.to_string(), None).await?;
    let row = match deployed {
        (_, Some(Deployed::New(row) | Deployed::Same(row))) => row,
        (_, Some(Deployed::VersionMismatch { current })) => {
            let message = format!("the newest version is {current} by now");
            return Err(Problem::new(problem::VERSION_MISMATCH, message).into());
        }
        (checked, None) => {
            return Err(Problem::findings(problem::INVALID_DEFINITION, checked.findings).into());
        }
    };
    let WorkflowRow { workflow_id: id, name, description, .. } = row;
    Ok(Json(OldWorkflowBody { id, name, status: "created".to_owned(), description }))
}

/// A workflow or an instance.
#[utoipa::path(
    get, path = "/workflows/{workflow}",
    operation_id = "chameleon_get_workflow", tag = "facades",
    params(("workflow" = String, Path, description = "Id, or the name of a workflow")),
    responses(
        (status = 200, description = "JSON, unless `Accept` names `text/html`",
         body = OldWorkflowBody),
        DetailResponses
    )
)]
pub async fn get_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<OldWorkflowBody>, Detail> {
    Ok(Json(match meant(&app, &caller, &word).await? {
        Meant::Instance(row) => body_of_instance(row),
        Meant::Workflow(row) => {
            let project = caller.project().to_owned();
            app.engine.read(move |store| body_of(store, &project, row)).await?
        }
    }))
}

/// Executes a workflow of steps.
#[utoipa::path(
    post, path = "/workflows/{workflow}/execute",
    operation_id = "chameleon_execute_workflow", tag = "facades",
    params(("workflow" = String, Path, description = "Id or name")),
    request_body(content = OldExecuteRequest),
    responses((status = 200, body = RunningBody), DetailResponses)
)]
pub async fn execute_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Old(request): Old<OldExecuteRequest>,
) -> Result<Json<RunningBody>, Detail> {
    let input = request.input.map(Value::Object);
    let request = ExecuteRequest { input, ..ExecuteRequest::default() };
    let run = start(&app, &caller, &word, request, None, None).await?;
    let message = format!("the run {} has begun", run.id);
    Ok(Json(RunningBody {
        workflow_id: run.workflow_id,
        status: "running",
        message,
        run_id: run.id,
    }))
}

/// Deletes a workflow. Its runs go on.
#[utoipa::path(
    delete, path = "/workflows/{workflow}",
    operation_id = "chameleon_delete_workflow", tag = "facades",
    params(("workflow" = String, Path, description = "Id or name")),
    responses((status = 200, body = MessageBody), DetailResponses)
)]
pub async fn delete_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<MessageBody>, Detail> {
    let row = match meant(&app, &caller, &word).await? {
        Meant::Workflow(row) => row,
        Meant::Instance(_) => {
            let message = "an instance is archived, not deleted";
            return Err(Problem::new(problem::WRONG_STATE, message).into());
        }
    };
    let gone = app.engine.delete_workflow(row.workflow_id, None).await?;
    gone.ok_or_else(|| Problem::no_workflow(&word))?;
    Ok(Json(MessageBody { message: format!("`{}` is deleted", row.name) }))
}

/// Where a workflow or an instance stands, and how many units of work it has.
#[utoipa::path(
    get, path = "/workflows/{workflow}/status", tag = "facades",
    params(("workflow" = String, Path, description = "Id, or the name of a workflow")),
    responses((status = 200, body = StatusBody), DetailResponses)
)]
pub async fn workflow_status(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<StatusBody>, Detail> {
    let found = meant(&app, &caller, &word).await?;
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let mut uows_by_status = BTreeMap::new();
        let body = match found {
            Meant::Instance(row) => {
                for found in store.unit_counts(row.instance_id)? {
                    *uows_by_status.entry(shown(&found.status)).or_insert(0) += found.count;
                }
                body_of_instance(row)
            }
            Meant::Workflow(row) => body_of(store, &project, row)?,
        };
        let OldWorkflowBody { id, name, status, .. } = body;
        let total_uows = uows_by_status.values().sum();
        Ok(StatusBody { workflow_id: id, name, status, total_uows, uows_by_status })
    };
    Ok(Json(app.engine.read(read).await?))
}

/// The units of work of an instance, the newest first.
#[utoipa::path(
    get, path = "/workflows/{workflow}/uows", tag = "facades",
    params(("workflow" = Uuid, Path, description = "Id of the instance"), UowsQuery),
    responses((status = 200, body = UowList), DetailResponses)
)]
pub async fn workflow_uows(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    OldQuery(query): OldQuery<UowsQuery>,
) -> Result<Json<UowList>, Detail> {
    let limit = limit(query.limit.as_deref())?;
    let after: Option<Uuid> = place(query.cursor.as_deref())?;
    let status = query.uow_status.filter(|word| !word.is_empty()).map(|word| word.to_lowercase());
    if status.as_deref().is_some_and(|word| UnitStatus::parse(word).is_none()) {
        let known = UnitStatus::ALL.map(|status| shown(status.as_str())).join(", ");
        return Err(Detail::field("uow_status", &format!("one of {known} is expected")));
    }
    let row = match meant(&app, &caller, &word).await? {
        Meant::Instance(row) => row,
        // A workflow of steps has none.
        Meant::Workflow(row) => {
            let workflow_id = row.workflow_id;
            return Ok(Json(UowList { workflow_id, uows: Vec::new(), next_cursor: None }));
        }
    };
    let instance_id = Some(row.instance_id);
    let filter = UnitFilter { instance_id, status, ..UnitFilter::default() };
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| store.units(&project, &filter, after, limit);
    let page = app.engine.read(read).await?;
    let last = page.items.last().filter(|_| page.has_more);
    let next_cursor = last.map(|last| cursor(&last.unit_id));
    let uows = page.items.into_iter().map(UowBody::of).collect();
    Ok(Json(UowList { workflow_id: row.instance_id, uows, next_cursor }))
}
