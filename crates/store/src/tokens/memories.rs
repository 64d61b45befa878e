use serde_json::Value;
use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// The context of what is for all actors of a role: as the type of it, and as its id.
pub const GLOBAL: &str = "GLOBAL";

/// Something that a role of an instance remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct MemoryRow {
    /// Its id.
    pub memory_id: Uuid,
    /// The instance.
    pub instance_id: Uuid,
    /// The role.
    pub role: String,
    /// `GLOBAL` or `ACTOR`.
    pub context_type: String,
    /// `GLOBAL`, or the actor's id.
    pub context_id: String,
    /// The actor it is for; all of the role if left out.
    pub actor_id: Option<Uuid>,
    /// What it is found by. Unique in its context.
    pub key: String,
    /// What is remembered.
    pub value: Value,
    /// How sure it is, from 0 to 100.
    pub confidence: u32,
    /// Whether nobody is to be told.
    pub is_toxic: bool,
    /// Why it is toxic.
    pub toxic_reason: Option<String>,
    /// When the first value was remembered.
    pub created_at: Time,
    /// When it was last read.
    pub accessed_at: Option<Time>,
}

impl MemoryRow {
    pub(crate) fn safe(mut self) -> MemoryRow {
        make_safe([&mut self.role, &mut self.context_type, &mut self.context_id, &mut self.key]);
        make_safe(&mut self.toxic_reason);
        self
    }

    /// What of a role it is in the place of.
    pub(crate) fn place(&self) -> (Uuid, &str, &str, &str) {
        (self.instance_id, &self.role, &self.context_id, &self.key)
    }

    /// This in the place of `earlier`.
    pub(crate) fn instead_of(self, earlier: &MemoryRow) -> MemoryRow {
        let text = |row: &MemoryRow| row.value.to_string();
        let is_same = text(&self) == text(earlier);
        let (is_toxic, toxic_reason) = match is_same {
            true => (earlier.is_toxic, earlier.toxic_reason.clone()),
            false => (self.is_toxic, self.toxic_reason),
        };
        MemoryRow {
            memory_id: earlier.memory_id,
            created_at: earlier.created_at,
            is_toxic,
            toxic_reason,
            ..self
        }
    }
}
