use uuid::Uuid;
use windlass_engine::shard::actor_id;
use windlass_store::{ActorRow, AssignmentRow};

use super::{Instance, RoleOf};
use crate::app::App;
use crate::http::problem::{self, Problem};

/// What an actor is, if nobody has said so.
const SYSTEM: &str = "SYSTEM";

/// Lets an actor act in a role: who is seen for the first time is registered, and roles to which
/// actors are assigned are for those alone.
///
/// # Errors
///
/// `not-assigned`, or that the store is away.
pub(crate) async fn enter(
    app: &App,
    instance: &Instance,
    role: &RoleOf<'_>,
    name: &str,
) -> Result<Uuid, Problem> {
    let instance_id = instance.id();
    let id = actor_id(instance_id, name);
    if app.known.is_let_in(instance_id, role.id, id) {
        return Ok(id);
    }
    let seen_before = app.known.changes();
    let now = app.engine.clock().now();
    let actor = ActorRow {
        actor_id: id,
        instance_id,
        identity_key: name.to_owned(),
        name: name.to_owned(),
        description: None,
        kind: SYSTEM.to_owned(),
        capabilities: serde_json::json!({}),
        created_at: now,
        seen_at: now,
    };
    let role_word = role.word();
    let found = app
        .engine
        .call(move |store| {
            let known = store.actor(instance_id, &id.to_string())?;
            if known.is_none() {
                store.put_actor(&actor)?;
            }
            store.assignments(instance_id, Some(&role_word))
        })
        .await?;
    let mut active = found.iter().filter(|one| one.status == AssignmentRow::ACTIVE).peekable();
    if active.peek().is_some() && !active.any(|one| one.actor_id == id) {
        let message = format!("`{name:.64}` is not assigned to the role `{}`", role.role.name);
        return Err(Problem::new(problem::NOT_ASSIGNED, message));
    }
    app.known.let_in((instance_id, role.id, id), seen_before);
    Ok(id)
}
