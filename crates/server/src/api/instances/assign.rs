use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::AssignmentRow;

use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::units;

/// An actor and a role.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignRequest {
    /// The actor, as it calls itself when it asks for work, or by id.
    #[schema(min_length = 1, max_length = 100)]
    pub actor: String,
    /// The role, by id or name.
    #[schema(min_length = 1, max_length = 500)]
    pub role: String,
    /// What people call the actor.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What it is for. Kept if the actor is new.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 10_000)]
    pub description: Option<String>,
    /// What it is. `SYSTEM` if nobody says so.
    #[serde(default)]
    pub kind: Option<ActorKind>,
    /// What it can do: any JSON, at most 16 KiB.
    #[serde(default)]
    pub capabilities: Option<Value>,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActorKind {
    /// A person.
    Human,
    /// An AI agent.
    AiAgent,
    /// A program.
    System,
}

impl ActorKind {
    /// As rows and answers have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ActorKind::Human => "HUMAN",
            ActorKind::AiAgent => "AI_AGENT",
            ActorKind::System => "SYSTEM",
        }
    }
}

/// That an actor may act in a role.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AssignmentBody {
    /// Its id.
    pub id: Uuid,
    /// The actor.
    pub actor_id: Uuid,
    /// The role.
    pub role: String,
    /// `ACTIVE` or `REVOKED`.
    pub status: String,
    /// When it was first given, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was given or taken back last.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Who gave it.
    pub created_by: Option<String>,
}

impl From<&AssignmentRow> for AssignmentBody {
    fn from(row: &AssignmentRow) -> AssignmentBody {
        AssignmentBody {
            id: row.assignment_id,
            actor_id: row.actor_id,
            role: row.role.clone(),
            status: row.status.clone(),
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
            created_by: row.created_by.clone(),
        }
    }
}

/// Assigns an actor to a role. From the first assignment on, the role is for those that are assigned
/// and for nobody else. An actor that is not known is registered; said again, nothing changes but
/// what is said of the actor.
#[utoipa::path(
    post, path = "/api/v1/instances/{instance}/actors", tag = "instances",
    params(("instance" = String, Path, description = "Id or name")),
    request_body(content = AssignRequest),
    responses(
        (status = 201, description = "It is durable", body = AssignmentBody),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn assign_actor(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<AssignRequest>,
) -> Result<(StatusCode, Json<AssignmentBody>), Problem> {
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let assigned = units::assign::assign(&app, &caller, &instance, request).await?;
    Ok((StatusCode::CREATED, Json(AssignmentBody::from(&assigned))))
}
