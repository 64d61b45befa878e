//! The runs of workflows, in plue's shape: times as seconds since 1970, steps as rows.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{RunStatus, StepStatus};
use windlass_store::{RunFilter, Store};

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::run::{RunBody, find};
use crate::api::step::{StepBody, bodies};
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, OldQuery};
use crate::http::paging::LIMIT_MAX;

/// Steps that a run shows.
const STEPS_MAX: usize = 1_000;
/// Runs of a page if nothing else is said.
const PER_PAGE: usize = 20;

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlueRun {
    /// Its id.
    pub id: Uuid,
    /// The workflow.
    pub workflow_definition_id: Uuid,
    /// The workflow's name.
    pub workflow_name: String,
    /// What started it: the label `trigger_type`, else `manual`.
    pub trigger_type: String,
    /// The input.
    pub inputs: Value,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// When it began, in seconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
    /// The output, once it is completed.
    pub outputs: Option<Value>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// When it was created.
    pub created_at: i64,
}

/// A step of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlueStep {
    /// Its path.
    pub step_id: String,
    /// The id of its node.
    pub name: String,
    /// The kind of its node.
    pub step_type: String,
    /// What it was told to do, with secrets as they were written.
    pub config: Option<Value>,
    /// `pending`, `running`, `completed`, `failed`, `skipped` or `cancelled`.
    pub status: &'static str,
    /// When it began, in seconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended.
    pub completed_at: Option<i64>,
    /// The exit code, if a program was run.
    pub exit_code: Option<i64>,
    /// What it came to.
    pub output: Option<Value>,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlueRuns {
    /// The newest first.
    pub runs: Vec<PlueRun>,
    /// How many are in this page.
    pub count: usize,
    /// How many a page has.
    pub per_page: usize,
}

/// A run with its steps.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlueRunDetail {
    /// The run.
    pub run: PlueRun,
    /// Its steps in the order in which they came up, at most 1,000.
    pub steps: Vec<PlueStep>,
}

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PlueRunsQuery {
    /// Only runs at this status, in plue's words.
    pub status: Option<String>,
    /// Which page, from 1. Runs up to the 1,000th can be reached.
    pub page: Option<String>,
    /// How many a page has, 1 to 100. 20 if left out.
    pub per_page: Option<String>,
}

/// Plue's word for where a run stands.
pub(super) fn run_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Queued => "pending",
        RunStatus::Running | RunStatus::Waiting | RunStatus::Paused => "running",
        RunStatus::Succeeded => "completed",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "cancelled",
    }
}

/// Plue's word for where a step stands.
pub(super) fn step_word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Succeeded => "completed",
        StepStatus::Failed => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Cancelled => "cancelled",
        StepStatus::Pending | StepStatus::Queued => "pending",
        _ => "running",
    }
}

fn seconds(text: &str) -> Option<i64> {
    Time::parse(text).map(|at| at.micros().div_euclid(1_000_000))
}

impl PlueRun {
    pub(super) fn of(run: RunBody) -> PlueRun {
        let status = RunStatus::parse(run.status).unwrap_or(RunStatus::Running);
        let time = |text: Option<&String>| text.and_then(|text| seconds(text));
        PlueRun {
            id: run.id,
            workflow_definition_id: run.workflow_id,
            workflow_name: run.workflow,
            trigger_type: run
                .labels
                .get(super::run::TRIGGER_LABEL)
                .cloned()
                .unwrap_or_else(|| "manual".to_owned()),
            inputs: run.input,
            status: run_word(status),
            started_at: time(run.started_at.as_ref()),
            completed_at: time(run.finished_at.as_ref()),
            outputs: run.output,
            error_message: run.error.map(|error| error.to_string()),
            created_at: seconds(&run.created_at).unwrap_or_default(),
        }
    }
}

impl PlueStep {
    fn of(step: StepBody) -> PlueStep {
        let status = StepStatus::parse(step.status).unwrap_or(StepStatus::Running);
        let time = |text: Option<&String>| text.and_then(|text| seconds(text));
        let of_output = step.output.as_ref().and_then(|output| output.get("exit_code"));
        let of_error = step.error.as_ref().and_then(|error| error.details.as_ref());
        let of_error = of_error.and_then(|details| details.get("exit_code"));
        PlueStep {
            exit_code: of_output.or(of_error).and_then(Value::as_i64),
            step_id: step.path,
            name: step.node,
            step_type: step.kind,
            config: step.input,
            status: step_word(status),
            started_at: time(step.started_at.as_ref()),
            completed_at: time(step.finished_at.as_ref()),
            output: step.output,
            error_message: step.error.map(|error| error.to_string()),
        }
    }
}

fn number(name: &str, text: Option<&str>, usual: usize, most: usize) -> Result<usize, Detail> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(usual) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| Detail::field(name, &format!("a number from 1 to {most}")))
}

/// Runs, the newest first.
#[utoipa::path(
    get, path = "/api/workflows/runs", tag = "facades", params(PlueRunsQuery),
    responses((status = 200, body = PlueRuns), DetailResponses)
)]
pub async fn list_plue_runs(
    State(app): Shared,
    caller: Caller,
    OldQuery(query): OldQuery<PlueRunsQuery>,
) -> Result<Json<PlueRuns>, Detail> {
    let per_page = number("per_page", query.per_page.as_deref(), PER_PAGE, 100)?;
    let page = number("page", query.page.as_deref(), 1, LIMIT_MAX.div_ceil(per_page))?;
    let mut filter = RunFilter::default();
    if let Some(wanted) = query.status.as_deref().filter(|status| !status.is_empty()) {
        let is_meant = |status: &RunStatus| run_word(*status) == wanted;
        filter.statuses = RunStatus::ALL.into_iter().filter(is_meant).collect();
        if filter.statuses.is_empty() {
            let known = "pending, running, completed, failed or cancelled is expected";
            return Err(Detail::field("status", known));
        }
    }
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let found = store.runs(&project, &filter, None, page * per_page)?;
        let rows = found.items.into_iter().skip((page - 1) * per_page);
        rows.map(|row| Ok(PlueRun::of(RunBody::read(store, row)?))).collect()
    };
    let runs: Vec<PlueRun> = app.engine.read(read).await?;
    Ok(Json(PlueRuns { count: runs.len(), runs, per_page }))
}

/// A run with its steps.
#[utoipa::path(
    get, path = "/api/workflows/runs/{run}", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = PlueRunDetail), DetailResponses)
)]
pub async fn get_plue_run(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<PlueRunDetail>, Detail> {
    let row = find(&app, caller.project(), &word).await?;
    let definitions = app.engine.definitions().clone();
    let read = move |store: &dyn Store| {
        let plan = definitions.plan(row.definition_id).ok();
        let page = store.steps(row.run_id, None, STEPS_MAX)?;
        let (steps, _) = bodies(store, &row, page, plan.as_deref(), STEPS_MAX)?;
        let run = PlueRun::of(RunBody::read(store, row)?);
        Ok(PlueRunDetail { run, steps: steps.into_iter().map(PlueStep::of).collect() })
    };
    Ok(Json(app.engine.read(read).await?))
}
