//! The verbs of [`Tokens`], each handed to the file that knows its table.

use uuid::Uuid;
use windlass_core::Time;

use super::{Driver, SqlStore};
use crate::error::StoreError;
use crate::rows::Page;
use crate::tokens::*;

impl<D: Driver> Tokens for SqlStore<D> {
    fn create_instance(&self, new: &NewInstance) -> Result<(), StoreError> {
        self.insert_instance(new)
    }

    fn instance(&self, project: &str, word: &str) -> Result<Option<InstanceRow>, StoreError> {
        self.read_instance(project, word)
    }

    fn instances(
        &self,
        project: &str,
        status: Option<InstanceStatus>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<InstanceRow>, StoreError> {
        self.read_instances(project, status, after, limit)
    }

    fn set_instance_status(
        &self,
        instance_id: Uuid,
        status: InstanceStatus,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Option<InstanceRow>, StoreError> {
        self.write_instance_status(instance_id, status, reason, now)
    }

    fn put_actor(&self, actor: &ActorRow) -> Result<ActorRow, StoreError> {
        self.write_actor(actor)
    }

    fn actor(&self, instance_id: Uuid, word: &str) -> Result<Option<ActorRow>, StoreError> {
        self.read_actor(instance_id, word)
    }

    fn actors(
        &self,
        instance_id: Uuid,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ActorRow>, StoreError> {
        self.read_actors(instance_id, after, limit)
    }

    fn assign(&self, assignment: &AssignmentRow) -> Result<AssignmentRow, StoreError> {
        self.write_assignment(assignment)
    }

    fn assignments(
        &self,
        instance_id: Uuid,
        role: Option<&str>,
    ) -> Result<Vec<AssignmentRow>, StoreError> {
        self.read_assignments(instance_id, role)
    }

    fn revoke(&self, assignment_id: Uuid, now: Time) -> Result<Option<AssignmentRow>, StoreError> {
        self.end_assignment(assignment_id, now)
    }

    fn memories(
        &self,
        instance_id: Uuid,
        role: &str,
        actor: Option<Uuid>,
        key_part: Option<&str>,
    ) -> Result<Vec<MemoryRow>, StoreError> {
        self.read_memories(instance_id, role, actor, key_part)
    }

    fn memory(&self, memory_id: Uuid) -> Result<Option<MemoryRow>, StoreError> {
        self.read_memory(memory_id)
    }

    fn touch_memories(&self, memory_ids: &[Uuid], now: Time) -> Result<(), StoreError> {
        self.write_access(memory_ids, now)
    }

    fn put_memory(&self, memory: &MemoryRow) -> Result<MemoryRow, StoreError> {
        self.write_memory(memory)
    }

    fn mark_toxic(&self, memory_id: Uuid, reason: &str) -> Result<Option<MemoryRow>, StoreError> {
        self.write_toxic(memory_id, reason)
    }

    fn decay_memories(&self, instance_id: Option<Uuid>, before: Time) -> Result<u64, StoreError> {
        self.delete_unread(instance_id, before)
    }

    fn unit(&self, project: &str, unit_id: Uuid) -> Result<Option<UnitRow>, StoreError> {
        self.read_unit(project, unit_id)
    }

    fn units(
        &self,
        project: &str,
        filter: &UnitFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        self.read_units(project, filter, after, limit)
    }

    fn units_of_run(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        self.read_units_of_run(run_id, after, limit)
    }

    fn unit_counts(&self, instance_id: Uuid) -> Result<Vec<UnitCount>, StoreError> {
        self.count_units(instance_id)
    }

    fn tasks(&self, after: Option<Uuid>, limit: usize) -> Result<Page<TaskRow>, StoreError> {
        self.read_tasks(after, limit)
    }

    fn task(&self, task_id: Uuid) -> Result<Option<TaskRow>, StoreError> {
        self.read_task(task_id)
    }

    fn intervention(
        &self,
        project: &str,
        request_id: Uuid,
    ) -> Result<Option<InterventionRow>, StoreError> {
        self.read_intervention(project, request_id)
    }

    fn interventions(
        &self,
        project: &str,
        filter: &InterventionFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Page<InterventionRow>, StoreError> {
        self.read_interventions(project, filter, limit, offset)
    }

    fn intervention_metrics(&self, project: &str) -> Result<InterventionMetrics, StoreError> {
        self.sum_interventions(project)
    }
}
