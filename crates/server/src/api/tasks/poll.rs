use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::limits::LABEL_BYTES_MAX;
use windlass_core::run::token::Unit;
use windlass_core::{HumanDuration, Time};
use windlass_engine::desk::{Demand, LEASE_MAX, LEASE_MIN, Scope, Want};
use windlass_engine::{Claimed, TaskOf, UnitView};

use super::{check_worker, refused, scope_of};
use crate::access::Caller;
use crate::app::{App, Shared, is_down};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::units;

/// The path, for whoever gives it more time than others.
pub const PATH: &str = "/api/v1/tasks/poll";
/// How long a poll may wait.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// Tasks that may be taken at once.
const TASK_COUNT_MAX: u32 = 100;
/// Kinds, queues and roles that may be asked for at once.
const WANT_COUNT_MAX: usize = 100;

/// A question for work.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PollRequest {
    /// What the worker calls itself: 1 to 100 characters, the same in all it says of a task.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The kinds of plugins that it does.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub kinds: Vec<String>,
    /// The queues that it takes from: those that nodes of the kind `worker` name.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub queues: Vec<String>,
    /// The roles that it acts in: those that nodes of the kind `actor` name.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub roles: Vec<String>,
    /// The roles of instances that it acts in. Of all four lists together, 1 to 100.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub units: Vec<UnitWant>,
    /// How many tasks it takes, 1 to 100. 1 if left out.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100)]
    pub max: u32,
    /// How long to wait for the first of them, `30s` at most. No time if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "30s")]
    pub wait: Option<HumanDuration>,
    /// How long a task is the worker's own without a heartbeat, `1s` to `1h`. What `sweeper.uow_lease`
    /// says if left out and `units` are asked for, else `sweeper.runner_lease`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "1m")]
    pub lease: Option<HumanDuration>,
}

/// A role of an instance.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitWant {
    /// The instance, by id or name.
    pub instance: String,
    /// The role, by id or name.
    pub role: String,
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
    /// `unit`, or the kind of the step's node.
    pub kind: String,
    /// The queue it stood in.
    pub queue: String,
    /// What is to be done: the step's config, with its secrets. Null if it is a unit of work.
    pub config: Value,
    /// The unit of work, if it is one.
    pub unit: Option<TaskUnit>,
    /// How far an earlier holder has come, if they have said so.
    pub checkpoint: Option<Value>,
    /// The run's project.
    pub project: String,
    /// The run.
    pub run_id: Uuid,
    /// The step's address in the run, or the unit's path.
    pub step: String,
    /// Which attempt, from 1; how often the unit was taken.
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

/// A unit of work, as its actor gets it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskUnit {
    /// Its id.
    pub id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// The workflow of the instance that it is in.
    pub workflow: String,
    /// The role in which it was taken.
    pub role: String,
    /// The interaction it stood at.
    pub place: String,
    /// The unit it is a part of.
    pub parent_id: Option<Uuid>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
    /// What the role remembers.
    pub context: Map<String, Value>,
    /// Its parts.
    pub children: Vec<TaskChild>,
    /// What guardians tell whoever takes it.
    pub instructions: Option<String>,
    /// The model that guardians say is to be used.
    pub model_id: Option<String>,
    /// What guardians say is to be known.
    pub knowledge_fragments: Vec<Value>,
    /// How often it was taken, this time included.
    pub interaction_count: u32,
    /// The largest version of its attributes.
    pub version: u32,
}

/// A part of a unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskChild {
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub status: &'static str,
    /// Its attributes.
    pub attributes: Map<String, Value>,
}

/// Takes tasks: steps and units of work that the worker asks for. Waits for the first, if it is to.
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
    let wait = request.wait.unwrap_or(HumanDuration::from_secs(0)).0;
    let demand = demand(&app, &caller, &scope, request).await?;
    let mut going_down = app.going_down.clone();
    let mut claimed = tokio::select! {
        claimed = app.engine.poll_tasks(&scope, &demand, wait) => claimed.map_err(refused)?,
        () = is_down(&mut going_down) => Vec::new(),
    };
    if claimed.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = app.engine.clock().now();
    let mut tasks = Vec::with_capacity(claimed.len());
    for task in &mut claimed {
        tasks.push(task_body(&app, task, &demand.worker, now).await?);
    }
    claimed.iter_mut().for_each(Claimed::heard);
    Ok(Json(TaskList { tasks }).into_response())
}

async fn demand(
    app: &App,
    caller: &Caller,
    scope: &Scope,
    request: PollRequest,
) -> Result<Demand, Problem> {
    let refuse = |field: &str, message: String| Problem::parameter(field, message).in_body();
    check_worker(&request.worker)?;
    if !(1..=TASK_COUNT_MAX).contains(&request.max) {
        return Err(refuse("max", format!("1 to {TASK_COUNT_MAX} tasks may be taken at once")));
    }
    if request.wait.is_some_and(|wait| wait.0 > WAIT_MAX) {
        return Err(refuse("wait", format!("a poll may wait for {WAIT_MAX:?} at most")));
    }
    let PollRequest { worker, kinds, queues, roles, units, max, lease, .. } = request;
    let config = &app.config.sweeper;
    let usual = if units.is_empty() { config.runner_lease } else { config.uow_lease };
    if lease.is_some_and(|lease| !(LEASE_MIN..=LEASE_MAX).contains(&lease.0)) {
        return Err(refuse("lease", "a lease lasts for `1s` to `1h`".to_owned()));
    }
    // The settings may say more.
    let lease = lease.unwrap_or(usual).0;
    let count = kinds.len() + queues.len() + roles.len() + units.len();
    if !(1..=WANT_COUNT_MAX).contains(&count) {
        let message =
            format!("1 to {WANT_COUNT_MAX} kinds, queues, roles and units may be asked for");
        return Err(refuse("kinds", message));
    }
    if matches!(scope, Scope::Plugin(_)) && kinds.len() < count {
        let message = "a plugin's own worker does the kinds of its plugin";
        return Err(Problem::new(problem::FORBIDDEN, message));
    }
    kinds.iter().try_for_each(|kind| check_kind(app, scope, kind))?;
    let is_word = |word: &String| {
        (1..=LABEL_BYTES_MAX).contains(&word.len()) && !word.contains(char::is_control)
    };
    if !queues.iter().all(|queue| is_word(queue) && !queue.contains([':', '/'])) {
        let message = "a queue has a name of 1 to 256 bytes, without `:` and `/`".to_owned();
        return Err(refuse("queues", message));
    }
    if !roles.iter().all(is_word) {
        return Err(refuse("roles", "a role has a name of 1 to 256 bytes".to_owned()));
    }
    let plain = |queue: String| Want { queue, role: None };
    let mut wants: Vec<Want> = kinds.iter().map(|kind| plain(format!("kind:{kind}"))).collect();
    wants.extend(queues.into_iter().map(plain));
    wants.extend(roles.iter().map(|role| plain(format!("role:{role}"))));
    for want in units {
        wants.extend(wants_of(app, caller, &worker, &want).await?);
    }
    let max = usize::try_from(max).unwrap_or(1);
    Ok(Demand { worker, wants, max, lease })
}

/// The queues of a role of an instance, if the worker may act in it.
async fn wants_of(
    app: &App,
    caller: &Caller,
    worker: &str,
    want: &UnitWant,
) -> Result<Vec<Want>, Problem> {
    let instance = units::instance::find(app, caller.project(), &want.instance).await?;
    let role = instance.role(&want.role)?;
    if !role.is_for_actors() {
        let message = format!("units of work are not taken in the role `{}`", role.role.name);
        return Err(Problem::parameter("units", message).in_body());
    }
    // Of a paused one nothing is handed out; whoever asks waits, and takes of the others meanwhile.
    instance.check_not_archived()?;
    units::actor::enter(app, &instance, &role, worker).await?;
    Ok(role.wants(instance.id()))
}

fn check_kind(app: &App, scope: &Scope, kind: &str) -> Result<(), Problem> {
    let refuse = |message: String| Err(Problem::parameter("kinds", message).in_body());
    match (app.registry.plugin_of(kind), scope) {
        (Some(owner), Scope::Plugin(plugin)) if owner != plugin => {
            let message = format!("`{kind}` is a kind of the plugin `{owner}`");
            Err(Problem::new(problem::FORBIDDEN, message))
        }
        (Some(_), _) => Ok(()),
        (None, _) if app.registry.kinds().get(kind).is_some() => {
            refuse(format!("`{kind}` is done by the server itself"))
        }
        (None, _) => {
            let known = app.registry.plugin_kinds().map(|(name, _)| name);
            let hint = windlass_core::nearest(kind, known);
            let hint = hint.unwrap_or_else(|| "`plugins` in the settings name them".to_owned());
            refuse(format!("no plugin has a kind `{kind:.64}`; {hint}"))
        }
    }
}

/// A task, as its worker gets it. Its view is used up.
///
/// # Errors
///
/// That the store is away: what a role remembers belongs to a unit.
pub(crate) async fn task_body(
    app: &App,
    task: &mut Claimed,
    worker: &str,
    now: Time,
) -> Result<TaskBody, Problem> {
    let (task_id, fence, lease) = (task.task_id, task.fence, task.lease);
    let mut body = TaskBody {
        id: task_id,
        fence,
        kind: task.kind.to_string(),
        queue: String::new(),
        config: (*task.config).clone(),
        unit: None,
        checkpoint: None,
        project: String::new(),
        idempotency_key: task_id.to_string(),
        run_id: task_id,
        step: "test".to_owned(),
        attempt: 1,
        lease: HumanDuration(lease).to_string(),
        lease_until: now.plus(lease).to_string(),
        timeout: None,
        deadline: None,
    };
    let Some(view) = task.view.take() else { return Ok(body) };
    body.project = view.project.to_string();
    body.run_id = view.run_id;
    match view.of {
        TaskOf::Unit(view) => {
            body.idempotency_key = format!("{task_id}/{fence}");
            body.attempt = view.unit.interaction_count;
            body.checkpoint = view.unit.checkpoint.as_deref().cloned();
            let place = view.unit.place.as_deref().unwrap_or_default();
            body.queue = format!("{}/{}/{place}", view.instance_id, view.unit.workflow);
            body.unit = Some(TaskUnit::of(app, *view, worker).await?);
        }
        TaskOf::Step(step) => {
            body.idempotency_key = format!("{}/{}", view.run_id, view.path);
            body.attempt = step.attempt;
            body.queue = step.queue;
            body.checkpoint = step.checkpoint.as_deref().cloned();
            body.timeout = step.timeout.map(|limit| limit.to_string());
            body.deadline = step.deadline.map(|deadline| deadline.to_string());
        }
    }
    body.step = view.path;
    Ok(body)
}

impl TaskUnit {
    async fn of(app: &App, view: UnitView, worker: &str) -> Result<TaskUnit, Problem> {
        let UnitView { instance_id, unit, parent_id, children, role_word } = view;
        let role = unit.role.as_deref().unwrap_or_default().to_owned();
        let actor = windlass_engine::shard::actor_id(instance_id, worker);
        let context = units::memory::context(app, instance_id, &role_word, actor).await?;
        let version = unit.version();
        Ok(TaskUnit {
            id: unit.id,
            instance_id,
            workflow: unit.workflow.to_string(),
            role,
            place: unit.place.as_deref().unwrap_or_default().to_owned(),
            parent_id,
            attributes: attributes(&unit),
            context,
            children: children
                .iter()
                .map(|part| TaskChild {
                    id: part.id,
                    status: part.status.as_str(),
                    attributes: attributes(part),
                })
                .collect(),
            instructions: unit.injected.instructions,
            model_id: unit.injected.model_id,
            knowledge_fragments: unit.injected.fragments,
            interaction_count: unit.interaction_count,
            version,
        })
    }
}

/// The current attributes of a unit.
pub(crate) fn attributes(unit: &Unit) -> Map<String, Value> {
    let all = unit.attributes.iter();
    all.map(|(name, one)| (name.to_string(), (*one.value).clone())).collect()
}
