//! What a store keeps of token runs beside their journals: instances, units of work, tasks, actors,
//! what roles remember, requests to people.
//!
//! Units, tasks and interventions follow from journals and are written with them
//! ([`RunWrite`](crate::RunWrite)); the rest is written here.

mod actors;
mod instances;
mod interventions;
mod memories;
mod tasks;
mod units;

pub use actors::{ActorRow, AssignmentRow};
pub(crate) use instances::FORMAT;
pub use instances::{InstanceRow, InstanceStatus, NewInstance};
pub(crate) use interventions::TOP;
pub use interventions::{InterventionFilter, InterventionMetrics, InterventionRow};
pub use memories::{GLOBAL, MemoryRow};
pub use tasks::TaskRow;
pub use units::{UnitCount, UnitFilter, UnitRow};

use uuid::Uuid;
use windlass_core::Time;

use crate::error::StoreError;
use crate::rows::Page;

/// Lists without pages, of what one role has, end after so many rows.
pub const OF_A_ROLE_MAX: usize = 10_000;

/// What a store keeps of token runs. All methods block and may be called from any thread.
///
/// # Errors
///
/// Any method may answer [`StoreError::Unavailable`], and those that write
/// [`StoreError::OutcomeUnknown`].
pub trait Tokens {
    /// Adds an instance with its own definition, both or neither: definition, workflow and instance
    /// have the same id, and the version is 1. [`StoreError::Damaged`] if the id is taken.
    fn create_instance(&self, new: &NewInstance) -> Result<(), StoreError>;

    /// The instance of this id or name; of several of one name, the newest. An id wins over a name.
    fn instance(&self, project: &str, word: &str) -> Result<Option<InstanceRow>, StoreError>;

    /// Instances, the newest first, behind `after`.
    fn instances(
        &self,
        project: &str,
        status: Option<InstanceStatus>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<InstanceRow>, StoreError>;

    /// Says where an instance stands from now on, and why. Answers it as it is now, or `None` if
    /// there is none of this id.
    fn set_instance_status(
        &self,
        instance_id: Uuid,
        status: InstanceStatus,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Option<InstanceRow>, StoreError>;

    /// Keeps an actor of an instance, and answers it as it is kept. One of the same identity key or,
    /// if there is none, of the same id keeps its id, identity key, description and time of creation,
    /// and takes name, kind, capabilities and `seen_at` from `actor`.
    fn put_actor(&self, actor: &ActorRow) -> Result<ActorRow, StoreError>;

    /// The actor of an instance by identity key or id. An identity key wins over an id.
    fn actor(&self, instance_id: Uuid, word: &str) -> Result<Option<ActorRow>, StoreError>;

    /// Actors of an instance by id, behind `after`.
    fn actors(
        &self,
        instance_id: Uuid,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ActorRow>, StoreError>;

    /// Gives an actor a role, and answers the assignment as it is kept. If the actor has or had the
    /// role, that assignment keeps its id and its beginning, and takes the status.
    fn assign(&self, assignment: &AssignmentRow) -> Result<AssignmentRow, StoreError>;

    /// Assignments of an instance, or of one role of it, those that were taken back among them, by
    /// role and actor. At most [`OF_A_ROLE_MAX`].
    fn assignments(
        &self,
        instance_id: Uuid,
        role: Option<&str>,
    ) -> Result<Vec<AssignmentRow>, StoreError>;

    /// Takes an assignment back. One that has been taken back keeps its time. Answers it as it is
    /// now, or `None` if there is none of this id.
    fn revoke(&self, assignment_id: Uuid, now: Time) -> Result<Option<AssignmentRow>, StoreError>;

    /// What a role of an instance remembers: what is for all actors and, if one is named, what is
    /// for that one. Only keys that have `key_part` in them, whatever its case. What is toxic is
    /// among it. By key, what is for all first. At most [`OF_A_ROLE_MAX`].
    fn memories(
        &self,
        instance_id: Uuid,
        role: &str,
        actor: Option<Uuid>,
        key_part: Option<&str>,
    ) -> Result<Vec<MemoryRow>, StoreError>;

    /// One thing that a role remembers.
    fn memory(&self, memory_id: Uuid) -> Result<Option<MemoryRow>, StoreError>;

    /// Says that these have been read now. Those that are gone are passed over.
    fn touch_memories(&self, memory_ids: &[Uuid], now: Time) -> Result<(), StoreError>;

    /// Keeps something, in the place of what the role remembers under the same key in the same
    /// context, and answers it as it is kept. It keeps id and time of creation of what was there,
    /// and while the value stays the same, whether it is toxic.
    fn put_memory(&self, memory: &MemoryRow) -> Result<MemoryRow, StoreError>;

    /// Marks something as toxic, for this reason. Answers it as it is now, or `None` if there is
    /// none of this id.
    fn mark_toxic(&self, memory_id: Uuid, reason: &str) -> Result<Option<MemoryRow>, StoreError>;

    /// Forgets what was read last before `before`, in an instance or everywhere; what was never read
    /// stays. Answers how many.
    fn decay_memories(&self, instance_id: Option<Uuid>, before: Time) -> Result<u64, StoreError>;

    /// One unit of work.
    fn unit(&self, project: &str, unit_id: Uuid) -> Result<Option<UnitRow>, StoreError>;

    /// Units of work, the newest first, behind `after`.
    fn units(
        &self,
        project: &str,
        filter: &UnitFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError>;

    /// Units of a run in the order in which they came up, behind ordinal `after`.
    fn units_of_run(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError>;

    /// How many units of an instance stand where, by status, place and workflow.
    fn unit_counts(&self, instance_id: Uuid) -> Result<Vec<UnitCount>, StoreError>;

    /// Tasks of all projects by id, behind `after`.
    fn tasks(&self, after: Option<Uuid>, limit: usize) -> Result<Page<TaskRow>, StoreError>;

    /// One task.
    fn task(&self, task_id: Uuid) -> Result<Option<TaskRow>, StoreError>;

    /// One request to people.
    fn intervention(
        &self,
        project: &str,
        request_id: Uuid,
    ) -> Result<Option<InterventionRow>, StoreError>;

    /// Requests to people, the most urgent first, and of those the oldest first, without the first
    /// `offset` of them.
    fn interventions(
        &self,
        project: &str,
        filter: &InterventionFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Page<InterventionRow>, StoreError>;

    /// How many requests to people there are, and how long they took.
    fn intervention_metrics(&self, project: &str) -> Result<InterventionMetrics, StoreError>;
}
