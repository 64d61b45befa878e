use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::run::Hold;
use windlass_engine::desk::{Demand, Want};
use windlass_engine::shard::id_in;

use super::{Handed, OkBody, QUEUE};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::tasks::{check_worker, refused, scope_of};
use crate::app::{App, Shared};
use crate::facade::trouble::missing;
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::problem;

/// A runner.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct RegisterRequest {
    /// What it calls itself: 1 to 100 characters.
    pub pod_name: String,
    /// Where it is. Windlass never calls it.
    #[serde(default)]
    pub pod_ip: Option<String>,
}

/// What a runner has to do.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegisteredBody {
    /// The runner; the same for the same name.
    pub runner_id: Uuid,
    /// What is to be done; null if there is nothing.
    pub task: Option<RunnerTask>,
    /// Where to tell what happens: `{callback_url}/stream` and `{callback_url}/complete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// What is to be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunnerTask {
    /// The task, as this runner is to call it: another runner's name for the same one differs.
    pub id: String,
    /// The `kind` of the node `worker`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Its `config`, with its secrets.
    pub config: Value,
    /// `session_id` of that config, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
}

/// A runner says that it is there and has nothing to do, and takes the next task of the queue
/// `runners`, if there is one. A task that it had before is given back.
#[utoipa::path(
    post, path = "/internal/runners/register", tag = "facades",
    request_body(content = RegisterRequest),
    responses((status = 200, body = RegisteredBody), DetailResponses)
)]
pub async fn register(
    State(app): Shared,
    caller: Caller,
    headers: HeaderMap,
    Old(request): Old<RegisterRequest>,
) -> Result<Json<RegisteredBody>, Detail> {
    let name = request.pod_name;
    check_worker(&name)?;
    let project = caller.project();
    let scope = scope_of(&caller);
    app.facades.runners.register(project, &name);
    for task_id in in_hands(&app, project, &name) {
        let hold = Hold { by: name.clone(), fence: None };
        // It may have ended, or been taken back.
        let _ = app.engine.release_task(&scope, task_id, &hold).await;
    }
    let runner_id = id_in(Uuid::nil(), &format!("runner/{project}/{name}"));
    let demand = Demand {
        worker: name.clone(),
        wants: vec![Want { queue: QUEUE.to_owned(), role: None }],
        max: 1,
        lease: app.config.sweeper.runner_lease.0,
    };
    let claimed = app.engine.poll_tasks(&scope, &demand, Duration::ZERO).await.map_err(refused)?;
    let Some(mut claimed) = claimed.into_iter().next() else {
        return Ok(Json(RegisteredBody { runner_id, task: None, callback_url: None }));
    };
    let handed = Handed { task_id: claimed.task_id, fence: claimed.fence };
    app.facades.runners.takes(project, &name, handed);
    let field = |name: &str| claimed.config.get(name).cloned().unwrap_or_default();
    let config = field("config");
    let session_id = config.get("session_id").and_then(Value::as_str).map(str::to_owned);
    let type_ = field("kind").as_str().unwrap_or_default().to_owned();
    let task = RunnerTask { id: handed.to_string(), type_, config, session_id };
    let callback_url = Some(callback_url(&headers, handed));
    claimed.heard();
    Ok(Json(RegisteredBody { runner_id, task: Some(task), callback_url }))
}

/// By the name that the runner itself has asked for.
fn callback_url(headers: &HeaderMap, task: Handed) -> String {
    let word = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if word("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let host = word(header::HOST.as_str()).unwrap_or("localhost");
    format!("{scheme}://{host}/internal/tasks/{task}")
}

/// A runner is alive: what it holds is its own for another while.
#[utoipa::path(
    post, path = "/internal/runners/{pod_name}/heartbeat",
    operation_id = "plue_heartbeat", tag = "facades",
    params(("pod_name" = String, Path, description = "What it calls itself")),
    responses((status = 200, body = OkBody), DetailResponses)
)]
pub async fn beat(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<OkBody>, Detail> {
    let project = caller.project();
    let is_known = app.facades.runners.heard(project, &name);
    let tasks = in_hands(&app, project, &name);
    // After a start of the server, whoever holds something is known by that.
    if !is_known && tasks.is_empty() {
        let message = format!("no runner `{name:.64}` was heard of; register anew");
        return Err(missing(problem::TASK_NOT_FOUND, message));
    }
    for task_id in tasks {
        let hold = Hold { by: name.clone(), fence: None };
        // A task that it has not any more it hears of when it says something of that task.
        let _ = app.engine.heartbeat_task(&scope_of(&caller), task_id, &hold, None).await;
    }
    Ok(Json(OkBody { ok: true }))
}

/// What a runner holds.
fn in_hands(app: &App, project: &str, name: &str) -> Vec<Uuid> {
    let desk = app.engine.desk();
    let held = desk.held_by(project, name).into_iter().map(|task| task.task_id);
    held.filter(|id| desk.wait_of(*id).is_some_and(|wait| wait.queue == QUEUE)).collect()
}
