//! The jobs of the workflow service: runs in its shape and words.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_core::run::path::node_of;
use windlass_engine::shard::{Answer, Command};
use windlass_store::{LogFilter, RunFilter, Store};

use crate::access::Caller;
use crate::api::execute::refusal;
use crate::api::log_line::LogLineBody;
use crate::api::query::{Asked, Named};
use crate::api::run::{RunBody, find, read};
use crate::api::runs::list::page_of;
use crate::api::step::{StepBody, bodies};
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::problem::{Problem, ProblemBody};

/// Nodes that a job shows; a run's own path has them all.
const NODES_SHOWN_MAX: usize = 1_000;

/// The words of the workflow service for where a run stands.
const STATUSES: [(RunStatus, &str); 7] = [
    (RunStatus::Queued, "pending"),
    (RunStatus::Running, "running"),
    (RunStatus::Waiting, "running"),
    (RunStatus::Paused, "running"),
    (RunStatus::Succeeded, "completed"),
    (RunStatus::Failed, "failed"),
    (RunStatus::Cancelled, "cancelled"),
];

/// A run as the workflow service shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobBody {
    /// The run's id.
    pub id: Uuid,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name.
    pub workflow_name: String,
    /// `pending`, `running`, `completed`, `failed` or `cancelled`.
    pub status: &'static str,
    /// The input.
    pub input: Value,
    /// `{"output": …}` once it is completed.
    pub result: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// Its nodes by id, with status, output, attempts and duration. Only of a single job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<BTreeMap<String, Value>>,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How long it took.
    pub duration_ms: Option<u64>,
}

/// A line of a job's log.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobLine {
    /// When, RFC 3339.
    pub timestamp: String,
    /// The node.
    pub node_id: String,
    /// `info`, or `warning` for what was written to standard error.
    pub level: &'static str,
    /// The text.
    pub message: String,
    /// Its number among the job's lines.
    pub seq: u64,
}

/// Which jobs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct JobsQuery {
    /// Only jobs at this status, in the words of the workflow service.
    pub status: Option<String>,
    /// Only jobs of the workflow of this id or name.
    pub workflow_id: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl JobBody {
    fn of(run: RunBody) -> JobBody {
        let time = |text: &Option<String>| text.as_deref().and_then(Time::parse);
        let took = time(&run.finished_at).zip(time(&run.started_at));
        let is_completed = run.status == RunStatus::Succeeded.as_str();
        JobBody {
            id: run.id,
            workflow_id: run.workflow_id,
            workflow_name: run.workflow,
            status: word(run.status),
            input: run.input,
            result: is_completed.then(|| json!({ "output": run.output })),
            error: run.error.map(|error| error.to_string()),
            nodes: None,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            duration_ms: took.map(|(end, start)| {
                u64::try_from(end.since(start).as_millis()).unwrap_or(u64::MAX)
            }),
        }
    }
}

/// The service's word for a status of ours; nodes have the same.
fn word(status: &str) -> &'static str {
    let known = STATUSES.iter().find(|(ours, _)| ours.as_str() == status);
    match (known, status) {
        (Some((_, theirs)), _) => theirs,
        (None, "skipped") => "skipped",
        (None, "backing_off") => "running",
        (None, _) => "pending",
    }
}

/// Runs as jobs, the newest first.
#[utoipa::path(
    get, path = "/api/v1/jobs", tag = "facades", params(JobsQuery),
    responses((status = 200, body = List<JobBody>), ProblemResponses)
)]
pub async fn list_jobs(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<JobsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let before: Option<Uuid> = place(query.cursor.as_deref())?;
    let mut filter = RunFilter::default();
    if let Some(wanted) = query.status.as_ref().filter(|status| !status.is_empty()) {
        let words: Vec<&str> = wanted.split(',').collect();
        let is_meant = |(ours, theirs): &&(RunStatus, &str)| {
            words.contains(theirs) || words.contains(&ours.as_str())
        };
        filter.statuses = STATUSES.iter().filter(is_meant).map(|(ours, _)| *ours).collect();
        if filter.statuses.is_empty() {
            let known = "pending, running, completed, failed or cancelled";
            return Err(Problem::parameter("status", format!("{known} is expected")));
        }
    }
    let project = caller.project().to_owned();
    let list = move |store: &dyn Store| {
        let workflow = query.workflow_id.as_deref();
        let found = page_of(store, &project, filter, workflow, before, limit)?;
        let items = found.items.into_iter().map(JobBody::of).collect();
        Ok(List { items, next_cursor: found.next_cursor })
    };
    Ok(app.engine.read(list).await?.answer(&uri))
}

/// A run as a job, with its nodes.
#[utoipa::path(
    get, path = "/api/v1/jobs/{run}", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses((status = 200, body = JobBody), ProblemResponses)
)]
pub async fn get_job(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<JobBody>, Problem> {
    let row = find(&app, caller.project(), &word).await?;
    let definitions = app.engine.definitions().clone();
    let look = move |store: &dyn Store| {
        let plan = definitions.plan(row.definition_id).ok();
        let Some(overview) = store.overview(row.run_id, NODES_SHOWN_MAX)? else { return Ok(None) };
        let steps = overview.steps;
        let (steps, _) = bodies(store, &overview.row, steps, plan.as_deref(), NODES_SHOWN_MAX)?;
        let mut job = JobBody::of(RunBody::read(store, overview.row)?);
        job.nodes = Some(steps.iter().map(node).collect());
        Ok(Some(job))
    };
    let job = app.engine.read(look).await?;
    job.map(Json).ok_or_else(|| Problem::no_run(&word))
}

/// A step by its path, which is the node's id outside of blocks.
fn node(step: &StepBody) -> (String, Value) {
    let step = serde_json::to_value(step).unwrap_or_default();
    let path = step["path"].as_str().unwrap_or_default().to_owned();
    let mut node = json!({ "status": word(step["status"].as_str().unwrap_or_default()) });
    for (theirs, ours) in [("output", "output"), ("attempts", "attempt")] {
        if !step[ours].is_null() {
            node[theirs] = step[ours].clone();
        }
    }
    if let Some(message) = step["error"]["message"].as_str() {
        node["error"] = message.into();
    }
    let time = |name: &str| step[name].as_str().and_then(Time::parse);
    if let Some((end, start)) = time("finished_at").zip(time("started_at")) {
        node["duration_ms"] = u64::try_from(end.since(start).as_millis()).unwrap_or(0).into();
    }
    (path, node)
}

/// What a job's nodes have written, in order.
#[utoipa::path(
    get, path = "/api/v1/jobs/{run}/logs", tag = "facades",
    params(
        ("run" = String, Path, description = "Id or external id"),
        crate::api::page::PageQuery
    ),
    responses((status = 200, body = List<JobLine>), ProblemResponses)
)]
pub async fn job_logs(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<crate::api::page::PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after = place(page.cursor.as_deref())?.unwrap_or(0);
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    let found = app
        .engine
        .read(move |store| store.logs(run_id, after, &LogFilter::default(), limit))
        .await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.log_seq));
    let line = |row| {
        let line = LogLineBody::from(row);
        JobLine {
            timestamp: line.at,
            node_id: node_of(&line.path).to_owned(),
            level: if line.stream == "stderr" { "warning" } else { "info" },
            message: line.text,
            seq: line.log_seq,
        }
    };
    Ok(List { items: found.items.into_iter().map(line).collect(), next_cursor }.answer(&uri))
}

/// Cancels a job.
#[utoipa::path(
    post, path = "/api/v1/jobs/{run}/cancel", tag = "facades",
    params(("run" = String, Path, description = "Id or external id")),
    responses(
        (status = 202, description = "It is being cancelled", body = JobBody),
        (status = 409, description = "It is over already: `wrong-state`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn cancel_job(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Response, Problem> {
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    let cancel = Command::Cancel { by: caller.name().to_owned(), reason: None };
    match app.engine.command(run_id, cancel).await {
        Answer::Run(_) => {
            let run = read(&app, caller.project(), &run_id.to_string()).await?;
            Ok((StatusCode::ACCEPTED, Json(JobBody::of(run))).into_response())
        }
        other => Err(refusal(other)),
    }
}
