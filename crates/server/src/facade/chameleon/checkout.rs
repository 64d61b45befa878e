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
use windlass_engine::desk::Demand;

use super::shown;
use crate::access::Caller;
use crate::api::tasks::poll::{TaskUnit, task_body};
use crate::api::tasks::{refused, scope_of};
use crate::app::Shared;
use crate::facade::trouble::id;
use crate::facade::{Detail, DetailResponses, Old};
use crate::http::problem::{self, Problem};
use crate::units;

/// Who asks for work, and in which role.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
pub struct CheckoutRequest {
    /// The actor, a UUID of its own choice.
    #[schema(format = Uuid)]
    pub actor_id: String,
    /// The role, as `GET /api/v1/instances/{id}` shows it.
    #[schema(format = Uuid)]
    pub role_id: String,
}

/// A unit of work that is the actor's own now.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckoutBody {
    /// The unit.
    pub uow_id: Uuid,
    /// The newest version of each attribute.
    pub attributes: Map<String, Value>,
    /// What the role remembers.
    pub context: Map<String, Value>,
    /// Its parts, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_uows: Vec<ChildUow>,
    /// The model that is to be used, if a guardian says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// What is to be observed, if a guardian says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub injected_instructions: Option<String>,
    /// What is to be known, if a guardian says so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub knowledge_fragment_refs: Vec<Value>,
}

/// A part of a unit of work.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChildUow {
    /// The part.
    pub uow_id: Uuid,
    /// Where it stands.
    pub status: String,
    /// The newest version of each attribute.
    pub attributes: Map<String, Value>,
}

/// Takes a unit of work in the name of a role. It is the actor's own for `sweeper.uow_lease` without a
/// heartbeat.
#[utoipa::path(
    post, path = "/workflow/checkout", tag = "facades",
    request_body(content = CheckoutRequest),
    responses(
        (status = 200, body = CheckoutBody),
        (status = 204, description = "There is nothing to be done now"),
        DetailResponses
    )
)]
pub async fn checkout(
    State(app): Shared,
    caller: Caller,
    Old(request): Old<CheckoutRequest>,
) -> Result<Response, Detail> {
    let actor_id = id("actor_id", &request.actor_id)?;
    let role_id = id("role_id", &request.role_id)?;
    let project = caller.project();
    let instance_id = app.facades.roles.instance_of(&app, project, role_id).await?;
    let instance = units::instance::find(&app, project, &instance_id.to_string()).await;
    let instance = instance.map_err(|problem| match problem.code.status {
        // It is another project's, and its id is nobody else's business.
        404 => Problem::new(problem::ROLE_NOT_FOUND, format!("there is no role {role_id}")),
        _ => problem,
    })?;
    let role = instance.role(&role_id.to_string())?;
    let nothing = || StatusCode::NO_CONTENT.into_response();
    if !role.is_for_actors() {
        return Ok(nothing());
    }
    let worker = actor_id.to_string();
    units::actor::enter(&app, &instance, &role, &worker).await?;
    instance.check_active()?;
    let demand = Demand {
        worker: worker.clone(),
        wants: role.wants(instance.id()),
        max: 1,
        lease: app.config.sweeper.uow_lease.0,
    };
    let claimed = app.engine.poll_tasks(&scope_of(&caller), &demand, Duration::ZERO).await;
    let Some(mut task) = claimed.map_err(refused)?.pop() else { return Ok(nothing()) };
    let body = task_body(&app, &mut task, &worker, app.engine.clock().now()).await?;
    task.heard();
    Ok(body.unit.map_or_else(nothing, |unit| Json(CheckoutBody::of(unit)).into_response()))
}

impl CheckoutBody {
    fn of(unit: TaskUnit) -> CheckoutBody {
        let child = |child: crate::api::tasks::poll::TaskChild| ChildUow {
            uow_id: child.id,
            status: shown(child.status),
            attributes: child.attributes,
        };
        CheckoutBody {
            uow_id: unit.id,
            attributes: unit.attributes,
            context: unit.context,
            child_uows: unit.children.into_iter().map(child).collect(),
            model_id: unit.model_id,
            injected_instructions: unit.instructions,
            knowledge_fragment_refs: unit.knowledge_fragments,
        }
    }
}
