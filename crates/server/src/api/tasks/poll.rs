use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::{HumanDuration, Time};
use windlass_nodes::worker::{Demand, Handed, LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, Scope};

use super::{check_worker, refused, scope_of};
use crate::access::Caller;
use crate::app::{App, Shared, is_down};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// The path, for whoever gives it more time than others.
pub const PATH: &str = "/api/v1/tasks/poll";
/// How long a poll may wait.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// Tasks that may be taken at once.
const TASK_COUNT_MAX: u32 = 100;
/// Kinds that may be asked for at once.
const KIND_COUNT_MAX: usize = 100;

/// A question for work.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// What the worker calls itself: 1 to 100 characters, the same in all it says of a task.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The kinds it does, 1 to 100 of plugins.
    #[schema(min_items = 1, max_items = 100)]
    pub kinds: Vec<String>,
    /// How many tasks it takes, 1 to 100. 1 if left out.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100)]
    pub max: u32,
    /// How long to wait for the first of them, `30s` at most. No time if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "30s")]
    pub wait: Option<HumanDuration>,
    /// How long a task is the worker's own without a heartbeat, `1s` to `1h`. `1m` if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1m")]
    pub lease: Option<HumanDuration>,
}

fn one() -> u32 {
    1
}

/// Tasks that are the worker's own now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskList {
    /// In the order in which they came.
    pub tasks: Vec<TaskBody>,
}

/// An attempt of a step, to be made by a worker.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskBody {
    /// The task.
    pub id: Uuid,
    /// The number of this handing over, to be shown in all that is said of the task. It grows with
    /// every handing over of the same task.
    pub fence: u64,
    /// The kind.
    pub kind: String,
    /// What is to be done: the step's config, with its secrets.
    pub config: Value,
    /// The run's project.
    pub project: String,
    /// The run.
    pub run_id: Uuid,
    /// The step's address in the run.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same for every attempt of the step.
    pub idempotency_key: String,
    /// How long it is the worker's own without a heartbeat.
    #[schema(example = "1m")]
    pub lease: String,
    /// When that ends unless there is a heartbeat, RFC 3339.
    #[schema(format = DateTime)]
    pub lease_until: String,
    /// How long the attempt may take in all, time without a worker included. Null: as long as it likes.
    pub timeout: Option<String>,
    /// When that is over, RFC 3339.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// Takes tasks: attempts of steps whose kinds the worker does. Waits for the first, if it is to.
///
/// Each is the worker's own until `lease_until`; a heartbeat prolongs that. A task whose lease ends is
/// handed to another worker.
#[utoipa::path(
    post, path = "/api/v1/tasks/poll", tag = "workers",
    request_body(content = PollRequest),
    responses(
        (status = 200, description = "Some", body = TaskList),
        (status = 204, description = "None now"),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn poll_tasks(
    State(app): Shared,
    caller: Caller,
    Body(request): Body<PollRequest>,
) -> Result<Response, Problem> {
    let scope = scope_of(&caller);
    let (demand, wait) = demand(&app, &scope, request)?;
    let board = app.registry.board();
    let mut going_down = app.going_down.clone();
    let handed = tokio::select! {
        handed = board.poll(&scope, &demand, wait) => handed.map_err(refused)?,
        () = is_down(&mut going_down) => Vec::new(),
    };
    if handed.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = app.engine.clock().now();
    let tasks = handed.into_iter().map(|task| task_body(task, now)).collect();
    Ok(Json(TaskList { tasks }).into_response())
}

fn demand(app: &App, scope: &Scope, request: PollRequest) -> Result<(Demand, Duration), Problem> {
    let refuse = |field: &str, message: String| Problem::parameter(field, message).in_body();
    check_worker(&request.worker)?;
    if !(1..=TASK_COUNT_MAX).contains(&request.max) {
        return Err(refuse("max", format!("1 to {TASK_COUNT_MAX} tasks may be taken at once")));
    }
    let wait = request.wait.unwrap_or(HumanDuration::from_secs(0));
    if wait.0 > WAIT_MAX {
        return Err(refuse("wait", format!("a poll may wait for {WAIT_MAX:?} at most")));
    }
    let lease = request.lease.map_or(LEASE_DEFAULT, |lease| lease.0);
    if !(LEASE_MIN..=LEASE_MAX).contains(&lease) {
        return Err(refuse("lease", "a lease lasts for `1s` to `1h`".to_owned()));
    }
    if !(1..=KIND_COUNT_MAX).contains(&request.kinds.len()) {
        return Err(refuse("kinds", format!("1 to {KIND_COUNT_MAX} kinds may be asked for")));
    }
    let board = app.registry.board();
    for kind in &request.kinds {
        match (board.plugin_of(kind), scope) {
            (Some(owner), Scope::Plugin(plugin)) if owner != plugin => {
                let message = format!("`{kind}` is a kind of the plugin `{owner}`");
                return Err(Problem::new(problem::FORBIDDEN, message));
            }
            (Some(_), _) => {}
            (None, _) if app.registry.kinds().get(kind).is_some() => {
                return Err(refuse("kinds", format!("`{kind}` is done by the server itself")));
            }
            (None, _) => {
                let hint = windlass_core::nearest(kind, board.kinds().map(|(name, _)| name));
                let hint = hint.unwrap_or_else(|| "`plugins` in the settings name them".to_owned());
                let message = format!("no plugin has a kind `{kind:.64}`; {hint}");
                return Err(refuse("kinds", message));
            }
        }
    }
    let PollRequest { worker, kinds, max, .. } = request;
    let max = usize::try_from(max).unwrap_or(1);
    Ok((Demand { worker, kinds, max, lease }, wait.0))
}

fn task_body(task: Handed, now: Time) -> TaskBody {
    let Handed { id, fence, origin, config, lease, timeout, time_left } = task;
    TaskBody {
        id,
        fence,
        kind: origin.kind.to_string(),
        config: (*config).clone(),
        project: origin.project.to_string(),
        idempotency_key: format!("{}/{}", origin.run_id, origin.step),
        run_id: origin.run_id,
        step: origin.step,
        attempt: origin.attempt,
        lease: HumanDuration(lease).to_string(),
        lease_until: now.plus(lease).to_string(),
        timeout: timeout.map(|limit| HumanDuration(limit).to_string()),
        deadline: time_left.map(|left| now.plus(left).to_string()),
    }
}
