use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// Who takes units of work of an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct ActorRow {
    /// Its id. The same id in another instance is another actor.
    pub actor_id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// What it is known by, such as a mail address. Unique in the instance.
    pub identity_key: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// `HUMAN`, `AI_AGENT` or `SYSTEM`.
    pub kind: String,
    /// What it can do, as JSON.
    pub capabilities: Value,
    /// When it was first seen.
    pub created_at: Time,
    /// When it was last seen.
    pub seen_at: Time,
}

/// That an actor may act for a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignmentRow {
    /// Its id.
    pub assignment_id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// The actor.
    pub actor_id: Uuid,
    /// The role.
    pub role: String,
    /// `ACTIVE`, or `REVOKED` once it was taken back.
    pub status: String,
    /// When it was first given.
    pub created_at: Time,
    /// When it was given or taken back last.
    pub updated_at: Time,
    /// Who gave it.
    pub created_by: Option<String>,
}

impl AssignmentRow {
    /// The status of an assignment that holds.
    pub const ACTIVE: &'static str = "ACTIVE";
    /// The status of one that was taken back.
    pub const REVOKED: &'static str = "REVOKED";

    pub(crate) fn safe(mut self) -> AssignmentRow {
        make_safe([&mut self.role, &mut self.status]);
        make_safe(&mut self.created_by);
        self
    }
}

impl ActorRow {
    pub(crate) fn safe(mut self) -> ActorRow {
        make_safe([&mut self.identity_key, &mut self.name, &mut self.kind]);
        make_safe(&mut self.description);
        self
    }

    /// This actor as it is known already, seen again.
    pub(crate) fn known_as(&self, known: ActorRow) -> ActorRow {
        ActorRow {
            actor_id: known.actor_id,
            identity_key: known.identity_key,
            description: known.description,
            created_at: known.created_at,
            ..self.clone()
        }
    }
}
