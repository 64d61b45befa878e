use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::{ActorRow, Store};

use super::assign::AssignmentBody;
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::{Asked, Named};
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units;

/// An actor of an instance.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActorBody {
    /// Its id. The same id in another instance is another actor.
    pub id: Uuid,
    /// What it calls itself when it asks for work.
    pub identity_key: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `HUMAN`, `AI_AGENT` or `SYSTEM`.
    pub kind: String,
    /// What it can do.
    pub capabilities: Value,
    /// When it was first seen, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it was last registered.
    #[schema(format = DateTime)]
    pub seen_at: String,
    /// The roles it was assigned to, those taken back among them.
    pub assignments: Vec<AssignmentBody>,
}

impl ActorBody {
    fn of(row: ActorRow, assignments: Vec<AssignmentBody>) -> ActorBody {
        ActorBody {
            id: row.actor_id,
            identity_key: row.identity_key,
            name: row.name,
            description: row.description,
            kind: row.kind,
            capabilities: row.capabilities,
            created_at: row.created_at.to_string(),
            seen_at: row.seen_at.to_string(),
            assignments,
        }
    }
}

/// The actors of an instance, by id: those that were assigned, and those that have asked for work.
#[utoipa::path(
    get, path = "/api/v1/instances/{instance}/actors", tag = "instances",
    params(("instance" = String, Path, description = "Id or name"), PageQuery),
    responses((status = 200, body = List<ActorBody>), ProblemResponses)
)]
pub async fn list_actors(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<Uuid> = place(page.cursor.as_deref())?;
    let instance = units::instance::find(&app, caller.project(), &word).await?.id();
    let read = move |store: &dyn Store| {
        Ok((store.actors(instance, after, limit)?, store.assignments(instance, None)?))
    };
    let (found, assignments) = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.actor_id));
    let items = found.items.into_iter().map(|row| {
        let own = assignments.iter().filter(|one| one.actor_id == row.actor_id);
        let own = own.map(AssignmentBody::from).collect();
        ActorBody::of(row, own)
    });
    Ok(List { items: items.collect(), next_cursor }.answer(&uri))
}
