use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_engine::shard::actor_id;
use windlass_store::MemoryRow;

use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units;

/// What of which role.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemoryQuery {
    /// The role, by id or name.
    pub role: String,
    /// An actor, whose own memories are shown besides those of the whole role.
    pub actor: Option<String>,
    /// Only keys with this in them, whatever its case.
    pub key: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Something that a role remembers.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemoryBody {
    /// Its id.
    pub id: Uuid,
    /// The role.
    pub role: String,
    /// The actor it is for; null if it is for all of the role.
    pub actor_id: Option<Uuid>,
    /// What it is found by.
    pub key: String,
    /// What is remembered.
    pub value: Value,
    /// How sure it is, from 0 to 100.
    pub confidence: u32,
    /// Whether nobody is told.
    pub is_toxic: bool,
    /// Why it is toxic.
    pub toxic_reason: Option<String>,
    /// When the first value was remembered, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last handed to an actor.
    #[schema(format = DateTime)]
    pub accessed_at: Option<String>,
}

impl From<MemoryRow> for MemoryBody {
    fn from(row: MemoryRow) -> MemoryBody {
        MemoryBody {
            id: row.memory_id,
            role: row.role,
            actor_id: row.actor_id,
            key: row.key,
            value: row.value,
            confidence: row.confidence,
            is_toxic: row.is_toxic,
            toxic_reason: row.toxic_reason,
            created_at: row.created_at.to_string(),
            accessed_at: row.accessed_at.map(|at| at.to_string()),
        }
    }
}

/// What a role of an instance remembers, what is toxic among it, by key. Reading it here does not
/// count as using it.
#[utoipa::path(
    get, path = "/api/v1/instances/{instance}/memory", tag = "instances",
    params(("instance" = String, Path, description = "Id or name"), MemoryQuery),
    responses((status = 200, body = List<MemoryBody>), ProblemResponses)
)]
pub async fn list_memory(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(query): Asked<MemoryQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let from: usize = place(query.cursor.as_deref())?.unwrap_or(0);
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let (id, role) = (instance.id(), instance.role(&query.role)?.word());
    let actor = query.actor.filter(|name| !name.is_empty()).map(|name| actor_id(id, &name));
    let key = query.key.filter(|key| !key.is_empty());
    let read =
        move |store: &dyn windlass_store::Store| store.memories(id, &role, actor, key.as_deref());
    let rows = app.engine.read(read).await?;
    let behind = from.saturating_add(limit);
    let next_cursor = (rows.len() > behind).then(|| cursor(&behind));
    let items = rows.into_iter().skip(from).take(limit).map(MemoryBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
