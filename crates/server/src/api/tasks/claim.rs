use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::HumanDuration;
use windlass_engine::desk::{LEASE_MIN, Scope, TaskRefused};

use super::poll::{TaskBody, task_body};
use super::{check_worker, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::words::check_text_if;
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::units::{self, Instance};

/// The longest lease of a task that was asked for by its id: whoever does that is likely a person, who
/// sends no heartbeats.
const LEASE_MAX: Duration = Duration::from_secs(86_400);

/// Who takes a task, and for how long.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// What the worker calls itself: 1 to 100 characters, the same in all it says of the task.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// Of a unit of work: the role, by id or name, in whose name it is taken. If left out, the first
    /// that takes units where it is and in which the worker may act.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500)]
    pub role: Option<String>,
    /// How long it is the worker's own without a heartbeat, `1s` to `24h`. As in a poll if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "24h")]
    pub lease: Option<HumanDuration>,
}

/// Takes one task in particular, out of its turn.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/claim", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = ClaimRequest),
    responses(
        (status = 200, description = "It is the worker's own", body = TaskBody),
        (status = 409, description = "Somebody has it: `lease-lost`; a guardian has refused it: \
            `unit-state`; `instance-inactive`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn claim_task(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<ClaimRequest>,
) -> Result<Json<TaskBody>, Problem> {
    let ClaimRequest { worker, role, lease } = request;
    check_worker(&worker)?;
    check_text_if("role", role.as_deref(), 500)?;
    let id = task_id(&word)?;
    Ok(Json(claim(&app, &caller, id, (&worker, role.as_deref()), lease).await?))
}

/// Takes one task in particular.
///
/// # Errors
///
/// `task-not-found`, `lease-lost` if somebody has it, `unit-state` if a guardian refuses it, and what
/// keeps the worker from acting in its role.
pub(crate) async fn claim(
    app: &App,
    caller: &Caller,
    id: Uuid,
    (worker, role): (&str, Option<&str>),
    lease: Option<HumanDuration>,
) -> Result<TaskBody, Problem> {
    let scope = scope_of(caller);
    let own = app.engine.desk().task(caller.project(), id);
    let is_unit = matches!(scope, Scope::Project(_)) && own.is_some_and(|task| task.kind == "unit");
    let sweeper = &app.config.sweeper;
    let usual = if is_unit { sweeper.uow_lease } else { sweeper.runner_lease };
    let lease = lease.unwrap_or(usual).0;
    if !(LEASE_MIN..=LEASE_MAX).contains(&lease) {
        let message = "a lease lasts for `1s` to `24h`";
        return Err(Problem::parameter("lease", message).in_body());
    }
    let role = match is_unit {
        true => Some(role_of(app, caller, id, (worker, role)).await?),
        false => None,
    };
    let claimed = app.engine.claim_task(&scope, id, (worker, role), lease).await;
    match claimed {
        Ok(mut task) => {
            let body = task_body(app, &mut task, worker, app.engine.clock().now()).await?;
            task.heard();
            Ok(body)
        }
        Err(TaskRefused::LeaseLost(None)) if is_unit => {
            let row = units::pilot::unit(app, caller.project(), id).await?;
            match row.holder {
                Some(holder) => {
                    let message = format!("`{holder:.64}` has it");
                    Err(Problem::new(problem::LEASE_LOST, message))
                }
                None => {
                    let at = row.place.map(|place| format!(" at `{place}`")).unwrap_or_default();
                    let reason = row.reason.unwrap_or_default();
                    let message =
                        format!("it was not handed out: it is {}{at} ({reason})", row.status);
                    Err(Problem::new(problem::UNIT_STATE, message))
                }
            }
        }
        Err(other) => Err(refused(other)),
    }
}

/// The name of the role in which a worker takes a unit.
async fn role_of(
    app: &App,
    caller: &Caller,
    id: Uuid,
    (worker, word): (&str, Option<&str>),
) -> Result<String, Problem> {
    let row = units::pilot::unit(app, caller.project(), id).await?;
    let word_of_instance = row.instance_id.to_string();
    let instance: Instance =
        units::instance::find(app, caller.project(), &word_of_instance).await?;
    instance.check_active()?;
    let place = row.place.as_deref().unwrap_or_default();
    let queue = format!("{}/{}/{place}", row.instance_id, row.workflow);
    let takes = |role: &units::RoleOf<'_>| {
        role.is_for_actors() && role.wants(instance.id()).iter().any(|want| want.queue == queue)
    };
    if let Some(word) = word {
        let role = instance.role(word)?;
        if !takes(&role) {
            let message = format!("the role `{}` takes nothing at `{place}`", role.role.name);
            return Err(Problem::parameter("role", message).in_body());
        }
        units::actor::enter(app, &instance, &role, worker).await?;
        return Ok(role.role.name.clone());
    }
    let mut refusal = None;
    for role in instance.roles().filter(|role| takes(role)) {
        match units::actor::enter(app, &instance, &role, worker).await {
            Ok(_) => return Ok(role.role.name.clone()),
            Err(problem) => refusal = Some(problem),
        }
    }
    Err(refusal.unwrap_or_else(|| refused(TaskRefused::NotFound)))
}
