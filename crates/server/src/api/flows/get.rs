use axum::Json;
use axum::extract::State;
use windlass_store::Store;

use crate::access::Caller;
use crate::api::flow::{FlowDetail, newest_runs};
use crate::api::flows::tasks::of_run;
use crate::api::query::Named;
use crate::app::{App, Shared};
use crate::http::ProblemResponses;
use crate::http::problem::{self, Problem};

/// Runs that are shown with a flow.
const RUNS_SHOWN: usize = 20;

/// A flow with its description and newest runs.
#[utoipa::path(
    get, path = "/api/v1/flows/{flow}", tag = "events",
    params(("flow" = String, Path, description = "Its key or id; percent-encoded, `/` as `%2F`")),
    responses((status = 200, body = FlowDetail), ProblemResponses)
)]
pub async fn get_flow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<FlowDetail>, Problem> {
    Ok(Json(find(&app, caller.project(), &word).await?))
}

/// The flow of a key or id.
///
/// # Errors
///
/// `workflow-not-found` if there is none, or what is called so is run here.
pub(crate) async fn find(app: &App, project: &str, word: &str) -> Result<FlowDetail, Problem> {
    let (definitions, own) = (app.engine.definitions().clone(), project.to_owned());
    let name = word.to_owned();
    let found = tokio::task::spawn_blocking(move || definitions.newest(&own, &name)).await;
    let found = found.map_err(|error| Problem::new(problem::UNAVAILABLE, error.to_string()))??;
    let workflow = found.ok_or_else(|| Problem::no_workflow(word))?;
    let flow = workflow.plan.flow.clone().ok_or_else(|| Problem::no_workflow(word))?;
    let (id, own) = (workflow.row.workflow_id, project.to_owned());
    let read = move |store: &dyn Store| {
        let runs = newest_runs(store, &own, id, RUNS_SHOWN)?;
        let tasks = runs.first().map(|newest| of_run(store, newest)).transpose()?;
        Ok((runs, tasks.unwrap_or_default()))
    };
    let (runs, tasks) = app.engine.read(read).await?;
    Ok(FlowDetail::of(&workflow.row, &flow, runs, tasks))
}
