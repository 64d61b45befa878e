use uuid::Uuid;
use windlass_core::Time;

use crate::text::make_safe;

/// What lists show of a unit of work. Its attributes and its history are in its run's journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitRow {
    /// Its id, a UUIDv7: newer units sort behind older ones. That of a base unit is its run's.
    pub unit_id: Uuid,
    /// The run it is in.
    pub run_id: Uuid,
    /// Its address in the run, such as `u0`.
    pub path: String,
    /// Its place in the order in which the run's units came up, from 0.
    pub ordinal: u32,
    /// The project it belongs to.
    pub project: String,
    /// The instance it moves through.
    pub instance_id: Uuid,
    /// The workflow of the instance that it is in now.
    pub workflow: String,
    /// The unit it is a part of.
    pub parent_id: Option<Uuid>,
    /// The interaction where it waits, or from where it was taken.
    pub place: Option<String>,
    /// The role that holds it, or held it last.
    pub role: Option<String>,
    /// Where it stands, in a word of `UnitStatus`.
    pub status: String,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// Who holds it.
    pub holder: Option<String>,
    /// How many times it was claimed.
    pub fence: u64,
    /// How many interactions it has been through.
    pub interaction_count: u32,
    /// How many it may go through.
    pub max_interactions: Option<u32>,
    /// How many children it has.
    pub child_count: u32,
    /// How many of them have finished.
    pub finished_child_count: u32,
    /// The largest version among its attributes.
    pub version: u32,
    /// A hash of its attributes.
    pub hash: String,
    /// Units of a higher priority are handed out first.
    pub priority: i32,
    /// When it was created.
    pub created_at: Time,
    /// When it came to its place.
    pub entered_at: Time,
    /// When its row changed last.
    pub updated_at: Time,
    /// For how long it is held without a heartbeat.
    pub lease_micros: Option<i64>,
    /// Until when it may wait.
    pub due_at: Option<Time>,
}

/// Which units a list shows. Each field that is set leaves others out. Place and role are those of
/// one instance: without it they are looked for unit by unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFilter {
    /// Only units of this instance.
    pub instance_id: Option<Uuid>,
    /// Only units of this run.
    pub run_id: Option<Uuid>,
    /// Only units that stand there.
    pub status: Option<String>,
    /// Only units at this interaction.
    pub place: Option<String>,
    /// Only units that this role holds or held last.
    pub role: Option<String>,
    /// Only parts of this unit.
    pub parent_id: Option<Uuid>,
    /// Only units that are held by this one.
    pub holder: Option<String>,
}

/// How many units of an instance stand somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitCount {
    /// The workflow of the instance.
    pub workflow: String,
    /// The interaction.
    pub place: Option<String>,
    /// The status.
    pub status: String,
    /// How many.
    pub count: u64,
}

impl UnitRow {
    /// No place and no role has an empty name.
    pub(crate) fn safe(mut self) -> UnitRow {
        self.place = self.place.filter(|place| !place.is_empty());
        self.role = self.role.filter(|role| !role.is_empty());
        make_safe([&mut self.workflow, &mut self.status]);
        let more = [&mut self.place, &mut self.role, &mut self.reason, &mut self.holder];
        make_safe(more.into_iter().flatten());
        self
    }
}

impl UnitFilter {
    pub(crate) fn safe(mut self) -> UnitFilter {
        let texts = [&mut self.status, &mut self.place, &mut self.role, &mut self.holder];
        make_safe(texts.into_iter().flatten());
        self
    }
}
