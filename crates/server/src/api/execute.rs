//! Creating runs, for every endpoint that does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use windlass_core::limits::{LABEL_BYTES_MAX, LABEL_COUNT_MAX};
use windlass_engine::shard::Answer;
use windlass_engine::{NewRun, Submitted, Workflow};

use super::run::{RunBody, read, wait_until_over};
use crate::access::Caller;
use crate::app::App;
use crate::http::prefer::PREFERENCE_APPLIED;
use crate::http::problem::{self, Problem};

/// How long a store may take to make a run durable before its client is told that nobody knows.
const DURABLE_TIME_MAX: Duration = Duration::from_secs(10);

/// A run of the newest version of a workflow.
pub fn new_run(workflow: &Workflow, input: Value, labels: BTreeMap<String, String>) -> NewRun {
    NewRun {
        unit: None,
        begins_paused: false,
        plan: workflow.plan.clone(),
        workflow_id: workflow.row.workflow_id,
        version: workflow.row.version,
        definition_id: workflow.row.definition_id,
        input,
        labels,
        external_id: None,
        rerun_of: None,
        priority: None,
        is_paused: workflow.row.pause.is_some(),
        by: None,
        reused: BTreeMap::new(),
        key: None,
    }
}

/// Refuses labels that cannot be kept.
///
/// # Errors
///
/// `bad-parameter`.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Problem> {
    if labels.len() > LABEL_COUNT_MAX {
        let message = format!("a run has at most {LABEL_COUNT_MAX} labels");
        return Err(Problem::parameter("labels", message));
    }
    let is_long = |text: &String| text.len() > LABEL_BYTES_MAX;
    match labels.iter().find(|(key, value)| key.is_empty() || is_long(key) || is_long(value)) {
        Some((key, _)) => {
            let message = format!("`{key:.40}`: keys and values have 1 to {LABEL_BYTES_MAX} bytes");
            Err(Problem::parameter("labels", message))
        }
        None => Ok(()),
    }
}

/// What has become of a run that was to be created: the run, or why there is none.
///
/// # Errors
///
/// By the answer. `request_hash` is that of the request; another one under the same key is
/// `key-reused`.
pub async fn created(
    app: &App,
    project: &str,
    answer: Answer,
    request_hash: Option<&str>,
) -> Result<RunBody, Problem> {
    match answer {
        Answer::Run(view) => Ok(RunBody::of_view(*view)),
        Answer::Existing { run_id, request_hash: earlier } => {
            if request_hash != Some(earlier.as_str()) {
                let message = "the key was used with another request in the last 7 days";
                return Err(Problem::new(problem::KEY_REUSED, message));
            }
            read(app, project, &run_id.to_string()).await
        }
        answer => Err(refusal(answer)),
    }
}

/// An answer that is no run, as a problem.
pub fn refusal(answer: Answer) -> Problem {
    match answer {
        Answer::Refused(refused) => refused.into(),
        Answer::ExternalIdTaken { run_id } => {
            let message = format!("the run {run_id} has it already");
            Problem::new(problem::EXTERNAL_ID_TAKEN, message)
        }
        Answer::NoSuchRun => Problem::new(problem::RUN_NOT_FOUND, "the run is gone"),
        Answer::Unavailable(message) => Problem::new(problem::UNAVAILABLE, message),
        Answer::OutcomeUnknown(message) => Problem::new(problem::OUTCOME_UNKNOWN, message),
        Answer::Broken(message) => {
            tracing::error!(%message, "a run cannot be driven");
            Problem::new(problem::INTERNAL, message)
        }
        Answer::Run(_)
        | Answer::Existing { .. }
        | Answer::Why(_)
        | Answer::Asked(_)
        | Answer::Heard(_)
        | Answer::Task(_) => Problem::new(problem::INTERNAL, "an answer in the wrong place"),
    }
}

/// The answer with a run: 200 if it is over, 202 if it is not.
pub fn answer(run: RunBody, wait: Option<Duration>) -> Response {
    let is_over = matches!(run.status, "succeeded" | "failed" | "cancelled");
    let status = if is_over && wait.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/api/v1/runs/{}", run.id);
    let mut response = (status, Json(run)).into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(location).ok().map(|value| (header::LOCATION, value)));
    if let Some(wait) = wait {
        let applied = HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok();
        headers.extend(applied.map(|value| (PREFERENCE_APPLIED, value)));
    }
    response
}

/// What a client gets whose time is up before the run's: the run as soon as it is durable, or why
/// there is none. Before that there is nothing to answer with.
async fn until_durable(
    app: &App,
    project: &str,
    mut submitted: Submitted,
    request_hash: Option<&str>,
) -> Result<RunBody, Problem> {
    let word = submitted.run_id.to_string();
    let mut news = app.engine.feed().subscribe(submitted.run_id);
    let found = async {
        loop {
            match read(app, project, &word).await {
                Err(problem) if problem.code == problem::RUN_NOT_FOUND => {}
                found => return found,
            }
            news.next().await;
        }
    };
    let either = async {
        tokio::select! {
            answer = submitted.answer() => created(app, project, answer, request_hash).await,
            found = found => found,
        }
    };
    tokio::time::timeout(DURABLE_TIME_MAX, either).await.unwrap_or_else(|_| {
        let message = "the run was handed over, but the store is slow to take it";
        Err(Problem::new(problem::OUTCOME_UNKNOWN, message))
    })
}

/// Creates a run and, if the client would wait, waits for its end.
///
/// # Errors
///
/// Those of [`created`].
pub async fn execute(
    app: &Arc<App>,
    caller: &Caller,
    mut run: NewRun,
    wait: Option<Duration>,
) -> Result<RunBody, Problem> {
    let project = caller.project();
    run.by = Some(caller.name().to_owned());
    let request_hash = run.key.as_ref().map(|key| key.request_hash.clone());
    let mut submitted = app.engine.submit(project, vec![run], wait.is_some());
    let Some(mut submitted) = submitted.pop() else {
        return Err(Problem::new(problem::INTERNAL, "no run was handed over"));
    };
    let Some(wait) = wait else {
        return created(app, project, submitted.answer().await, request_hash.as_deref()).await;
    };
    let began = std::time::Instant::now();
    // Most runs are over before anybody would look: then one answer says it all.
    let run = match tokio::time::timeout(wait, submitted.answer()).await {
        Ok(answer) => created(app, project, answer, request_hash.as_deref()).await?,
        Err(_) => until_durable(app, project, submitted, request_hash.as_deref()).await?,
    };
    let left = wait.saturating_sub(began.elapsed());
    if matches!(run.status, "succeeded" | "failed" | "cancelled") || left.is_zero() {
        return Ok(run);
    }
    wait_until_over(app, project, run.id, left).await
}
