use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::run::Fact;
use windlass_engine::{NewRun, Workflow};
use windlass_store::{RunRow, Store};

use crate::access::Caller;
use crate::api::execute::{answer, check_labels, execute, new_run, refusal};
use crate::api::query::Named;
use crate::api::run::{RunBody, find};
use crate::api::workflow;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses, key, prefer};

/// The `from` that means whatever has not succeeded.
pub const FAILED: &str = "failed";
/// Steps read at once where one of them is looked for.
const STEPS_AT_ONCE: usize = 1_000;

/// How the new run is to differ.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RerunRequest {
    /// Another input. Left out: the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Whether to run the workflow's newest version instead of the one that ran.
    pub newest: bool,
    /// Begins at this step, and reuses what the run has done besides it and what follows it;
    /// `failed` begins at whatever has not succeeded. What was undone runs again, and a step inside of
    /// a block begins with its block. Visits are counted anew: `review#2` begins at the first visit of
    /// `review`, with what was there at the end. Left out: from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
}

/// Runs a workflow again: a new run with `rerun_of`, of the same version and with the same input
/// unless the body says otherwise. The run it repeats stays as it is. With `from` it has to be over.
#[utoipa::path(
    post, path = "/api/v1/runs/{run}/rerun", tag = "runs",
    params(
        ("run" = String, Path, description = "Id, its last 12 characters, or external id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 256 bytes"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`, in seconds"),
    ),
    request_body(content = RerunRequest),
    responses(
        (status = 202, description = "The new run is durable", body = RunBody),
        (status = 200, description = "The new run is over", body = RunBody),
        (status = 409, description = "With `from`: it is not over yet: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-input`, `invalid-request` or `key-reused`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn rerun_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
    Body(request): Body<RerunRequest>,
) -> Result<Response, Problem> {
    let wait = prefer::wait(&headers, app.config.server.wait_time_max.0)?;
    let key = key::from_headers(&headers)?;
    check_labels(&request.labels)?;
    let row = find(&app, caller.project(), &word).await?;
    let key = key.map(|key| {
        let content = serde_json::to_value(&request).unwrap_or_default();
        key::for_rerun(row.run_id, key, &content)
    });
    let mut run = repeat(&app, row, request).await?;
    run.key = key;
    Ok(answer(execute(&app, &caller, run, wait).await?, wait))
}

/// A run like another one.
///
/// # Errors
///
/// If that one's workflow or definition is gone.
pub async fn repeat(app: &Arc<App>, row: RunRow, request: RerunRequest) -> Result<NewRun, Problem> {
    let mut labels = row.labels.clone();
    labels.extend(request.labels);
    let mut run = if request.newest {
        let workflow = workflow::find(app, &row.project, &row.workflow_id.to_string()).await?;
        new_run(&workflow, Value::Null, labels)
    } else {
        new_run(&same(app, &row).await?, Value::Null, labels)
    };
    run.input = match request.input {
        Some(input) => input,
        None => input_of(app, &row).await?,
    };
    run.rerun_of = Some(row.run_id);
    if let Some(from) = request.from {
        if request.newest {
            let message = "steps of another version cannot be reused; leave out `from` or `newest`";
            return Err(Problem::new(problem::INVALID_REQUEST, message));
        }
        let from = (from != FAILED).then_some(from);
        if let Some(from) = &from {
            check_step(app, row.run_id, &run.plan, from).await?;
        }
        run.reused = app.engine.reusable(row.run_id, from).await.map_err(refusal)?;
    }
    Ok(run)
}

/// Refuses what is neither a step of the run nor a node of its graph, whose turn may not have come.
async fn check_step(app: &App, run_id: Uuid, plan: &Plan, from: &str) -> Result<(), Problem> {
    if plan.graph.nodes.iter().any(|node| node.id == from) {
        return Ok(());
    }
    let wanted = from.to_owned();
    let look = move |store: &dyn Store| {
        let mut after = None;
        loop {
            let page = store.steps(run_id, after, STEPS_AT_ONCE)?;
            if page.items.iter().any(|step| step.path == wanted) {
                return Ok(true);
            }
            after = page.items.last().map(|step| step.ordinal);
            if !page.has_more || after.is_none() {
                return Ok(false);
            }
        }
    };
    match app.engine.read(look).await? {
        true => Ok(()),
        false => {
            Err(Problem::new(problem::STEP_NOT_FOUND, format!("the run has no step `{from}`")))
        }
    }
}

/// The workflow in the version that ran.
async fn same(app: &Arc<App>, row: &RunRow) -> Result<Workflow, Problem> {
    let (definitions, definition_id) = (app.engine.definitions().clone(), row.definition_id);
    let plan = tokio::task::spawn_blocking(move || definitions.plan(definition_id))
        .await
        .map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))??;
    let row = windlass_store::WorkflowRow {
        workflow_id: row.workflow_id,
        project: row.project.clone(),
        name: row.workflow.clone(),
        version: row.version,
        definition_id,
        description: None,
        created_at: row.created_at,
        updated_at: row.created_at,
        pause: None,
    };
    Ok(Workflow { row, plan })
}

async fn input_of(app: &Arc<App>, row: &RunRow) -> Result<Value, Problem> {
    let run_id = row.run_id;
    let events = app.engine.read(move |store| store.events_at(run_id, &[1])).await?;
    match events.into_iter().next().map(|numbered| numbered.event.fact) {
        Some(Fact::RunCreated(created)) => Ok(Arc::unwrap_or_clone(created.input)),
        _ => Err(Problem::new(problem::INTERNAL, "the run's first event is gone")),
    }
}
