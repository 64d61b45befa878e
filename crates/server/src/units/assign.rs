use uuid::Uuid;
use windlass_core::json;
use windlass_engine::ids::new_id;
use windlass_engine::shard::actor_id;
use windlass_store::{ActorRow, AssignmentRow, Store};

use super::Instance;
use crate::access::Caller;
use crate::api::instances::assign::{ActorKind, AssignRequest};
use crate::api::words::{TEXT_MAX, check_text, check_text_if};
use crate::app::App;
use crate::http::problem::{self, Problem};

/// The longest name of an actor, in characters: workers have no longer ones.
const ACTOR_MAX: usize = 100;
/// Bytes of what an actor can do.
const CAPABILITIES_BYTES_MAX: usize = 16 * 1024;

/// Gives an actor a role: from then on it is for those alone who have it. Who is not known is
/// registered.
///
/// # Errors
///
/// `role-not-found`; `bad-parameter` with what is wrong; that the store is away.
pub(crate) async fn assign(
    app: &App,
    caller: &Caller,
    instance: &Instance,
    request: AssignRequest,
) -> Result<AssignmentRow, Problem> {
    check_text("actor", &request.actor, ACTOR_MAX)?;
    check_text_if("name", request.name.as_deref(), ACTOR_MAX)?;
    check_text_if("description", request.description.as_deref(), TEXT_MAX)?;
    if request.actor.contains(char::is_control) {
        return Err(Problem::parameter("actor", "only characters that can be seen").in_body());
    }
    if request.capabilities.as_ref().is_some_and(|all| json::size(all) > CAPABILITIES_BYTES_MAX) {
        return Err(Problem::parameter("capabilities", "they have at most 16 KiB").in_body());
    }
    let role = instance.role(&request.role)?;
    if !role.is_for_actors() {
        let message = format!("nobody takes units of work in the role `{}`", role.role.name);
        return Err(Problem::parameter("role", message).in_body());
    }
    let (instance_id, role) = (instance.id(), role.word());
    let (now, by) = (app.engine.clock().now(), caller.name().to_owned());
    let wanted = actor_id(instance_id, &request.actor);
    let assigned = app.engine.call(move |store| {
        let known = store.actor(instance_id, &wanted.to_string())?;
        let known = match known {
            None => store.actor(instance_id, &request.actor)?,
            known => known,
        };
        let given =
            request.name.is_some() || request.kind.is_some() || request.capabilities.is_some();
        let actor = match known {
            Some(known) if !given => known,
            known => {
                let before = known.unwrap_or_else(|| ActorRow {
                    actor_id: wanted,
                    instance_id,
                    identity_key: request.actor.clone(),
                    name: request.actor.clone(),
                    description: request.description.clone(),
                    kind: ActorKind::System.as_str().to_owned(),
                    capabilities: serde_json::json!({}),
                    created_at: now,
                    seen_at: now,
                });
                store.put_actor(&ActorRow {
                    name: request.name.unwrap_or_else(|| before.name.clone()),
                    kind: request
                        .kind
                        .map_or_else(|| before.kind.clone(), |kind| kind.as_str().to_owned()),
                    capabilities: request
                        .capabilities
                        .unwrap_or_else(|| before.capabilities.clone()),
                    ..before
                })?
            }
        };
        store.assign(&AssignmentRow {
            assignment_id: new_id(now),
            instance_id,
            actor_id: actor.actor_id,
            role,
            status: AssignmentRow::ACTIVE.to_owned(),
            created_at: now,
            updated_at: now,
            created_by: Some(by),
        })
    });
    let assigned = assigned.await?;
    app.known.forget(instance_id);
    Ok(assigned)
}

/// Takes an assignment back.
///
/// # Errors
///
/// `actor-not-found` if the instance has no such assignment, or that the store is away.
pub(crate) async fn revoke(app: &App, instance: &Instance, id: Uuid) -> Result<(), Problem> {
    let (instance_id, now) = (instance.id(), app.engine.clock().now());
    let revoke = move |store: &dyn Store| {
        // Those of other projects are as unknown as what was never there.
        let own = store.assignments(instance_id, None)?;
        match own.iter().any(|one| one.assignment_id == id) {
            true => store.revoke(id, now),
            false => Ok(None),
        }
    };
    let revoked = app.engine.call(revoke).await?;
    app.known.forget(instance_id);
    revoked.map(drop).ok_or_else(|| {
        let message = format!("the instance has no assignment {id}");
        Problem::new(problem::ACTOR_NOT_FOUND, message)
    })
}
