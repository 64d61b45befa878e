use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::Time;

use super::lists::page;
use super::{Data, MemoryStore};
use crate::error::StoreError;
use crate::rows::{DefinitionRow, Page};
use crate::text::nul_safe;
use crate::tokens::*;

/// What is kept of token runs.
#[derive(Debug, Default)]
pub(super) struct TokenData {
    pub(super) instances: BTreeMap<Uuid, InstanceRow>,
    /// By instance and actor.
    pub(super) actors: BTreeMap<(Uuid, Uuid), ActorRow>,
    pub(super) assignments: BTreeMap<Uuid, AssignmentRow>,
    pub(super) memories: BTreeMap<Uuid, MemoryRow>,
    pub(super) units: BTreeMap<Uuid, UnitRow>,
    pub(super) tasks: BTreeMap<Uuid, TaskRow>,
    pub(super) interventions: BTreeMap<Uuid, InterventionRow>,
}

impl Data {
    fn create_instance(&mut self, new: &NewInstance) -> Result<(), StoreError> {
        let row = new.row.clone().safe();
        let id = row.instance_id;
        if self.definitions.contains_key(&id) || self.tokens.instances.contains_key(&id) {
            return Err(taken("instance"));
        }
        let definition = DefinitionRow {
            definition_id: id,
            workflow_id: id,
            version: 1,
            format: FORMAT.to_owned(),
            source: new.definition.clone(),
            content_hash: new.content_hash.clone(),
            created_at: row.created_at,
        };
        self.definitions.insert(id, definition);
        self.tokens.instances.insert(id, row);
        Ok(())
    }
}

impl TokenData {
    fn find_actor(
        &self,
        instance_id: Uuid,
        identity_key: &str,
        id: Option<Uuid>,
    ) -> Option<&ActorRow> {
        let identity_key = nul_safe(identity_key);
        let mut own = self.actors.values().filter(|actor| actor.instance_id == instance_id);
        let by_key = own.find(|actor| actor.identity_key == identity_key);
        by_key.or_else(|| self.actors.get(&(instance_id, id?)))
    }

    /// Keeps something that a role has learned, and answers it as it is kept.
    pub(super) fn learn(&mut self, memory: &MemoryRow) -> Result<MemoryRow, StoreError> {
        let memory = memory.clone().safe();
        let earlier = self.memories.values().find(|earlier| earlier.place() == memory.place());
        let memory = match earlier {
            Some(earlier) => memory.instead_of(earlier),
            None if self.memories.contains_key(&memory.memory_id) => return Err(taken("memory")),
            None => memory,
        };
        self.memories.insert(memory.memory_id, memory.clone());
        Ok(memory)
    }
}

impl Tokens for MemoryStore {
    fn create_instance(&self, new: &NewInstance) -> Result<(), StoreError> {
        self.data.lock().create_instance(new)
    }

    fn instance(&self, project: &str, word: &str) -> Result<Option<InstanceRow>, StoreError> {
        let (data, word) = (self.data.lock(), nul_safe(word));
        let id = Uuid::parse_str(&word).ok();
        let mut own = data.tokens.instances.values().filter(|row| row.project == project);
        let by_id = own.clone().find(|row| Some(row.instance_id) == id);
        Ok(by_id.or_else(|| own.rfind(|row| row.name == word)).cloned())
    }

    fn instances(
        &self,
        project: &str,
        status: Option<InstanceStatus>,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<InstanceRow>, StoreError> {
        let data = self.data.lock();
        let rows = data.tokens.instances.values().rev().filter(|row| {
            row.project == project
                && status.is_none_or(|status| row.status == status)
                && after.is_none_or(|after| row.instance_id < after)
        });
        Ok(page(rows.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    fn set_instance_status(
        &self,
        instance_id: Uuid,
        status: InstanceStatus,
        reason: Option<&str>,
        now: Time,
    ) -> Result<Option<InstanceRow>, StoreError> {
        let mut data = self.data.lock();
        let Some(row) = data.tokens.instances.get_mut(&instance_id) else { return Ok(None) };
        row.status = status;
        row.reason = reason.map(|reason| nul_safe(reason).into_owned());
        row.updated_at = now;
        Ok(Some(row.clone()))
    }

    fn put_actor(&self, actor: &ActorRow) -> Result<ActorRow, StoreError> {
        let tokens = &mut self.data.lock().tokens;
        let actor = actor.clone().safe();
        let known = tokens.find_actor(actor.instance_id, &actor.identity_key, Some(actor.actor_id));
        let actor = match known {
            Some(known) => actor.known_as(known.clone()),
            None => actor,
        };
        tokens.actors.insert((actor.instance_id, actor.actor_id), actor.clone());
        Ok(actor)
    }

    fn actor(&self, instance_id: Uuid, word: &str) -> Result<Option<ActorRow>, StoreError> {
        let id = Uuid::parse_str(word).ok();
        Ok(self.data.lock().tokens.find_actor(instance_id, word, id).cloned())
    }

    fn actors(
        &self,
        instance_id: Uuid,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<ActorRow>, StoreError> {
        let data = self.data.lock();
        let rows = data.tokens.actors.values().filter(|actor| {
            actor.instance_id == instance_id && after.is_none_or(|after| actor.actor_id > after)
        });
        Ok(page(rows.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    fn assign(&self, assignment: &AssignmentRow) -> Result<AssignmentRow, StoreError> {
        let assignments = &mut self.data.lock().tokens.assignments;
        let new = assignment.clone().safe();
        let same = |row: &&mut AssignmentRow| {
            (row.instance_id, row.actor_id, &row.role) == (new.instance_id, new.actor_id, &new.role)
        };
        if let Some(row) = assignments.values_mut().find(same) {
            (row.status, row.updated_at) = (new.status, new.updated_at);
            return Ok(row.clone());
        }
        if assignments.contains_key(&new.assignment_id) {
            return Err(taken("assignment"));
        }
        assignments.insert(new.assignment_id, new.clone());
        Ok(new)
    }

    fn assignments(
        &self,
        instance_id: Uuid,
        role: Option<&str>,
    ) -> Result<Vec<AssignmentRow>, StoreError> {
        let (data, role) = (self.data.lock(), role.map(nul_safe));
        let rows = data.tokens.assignments.values().filter(|row| {
            row.instance_id == instance_id && role.as_ref().is_none_or(|role| row.role == **role)
        });
        let mut rows: Vec<AssignmentRow> = rows.cloned().collect();
        rows.sort_by(|a, b| (&a.role, a.actor_id).cmp(&(&b.role, b.actor_id)));
        rows.truncate(OF_A_ROLE_MAX);
        Ok(rows)
    }

    fn revoke(&self, assignment_id: Uuid, now: Time) -> Result<Option<AssignmentRow>, StoreError> {
        let mut data = self.data.lock();
        let Some(row) = data.tokens.assignments.get_mut(&assignment_id) else { return Ok(None) };
        if row.status != AssignmentRow::REVOKED {
            row.status = AssignmentRow::REVOKED.to_owned();
            row.updated_at = now;
        }
        Ok(Some(row.clone()))
    }

    fn memories(
        &self,
        instance_id: Uuid,
        role: &str,
        actor: Option<Uuid>,
        key_part: Option<&str>,
    ) -> Result<Vec<MemoryRow>, StoreError> {
        let (data, role) = (self.data.lock(), nul_safe(role));
        let actor = actor.map(|actor| actor.to_string());
        let part = key_part.map(|part| nul_safe(part).to_ascii_lowercase());
        let rows = data.tokens.memories.values().filter(|row| {
            let is_told = row.context_id == GLOBAL || Some(&row.context_id) == actor.as_ref();
            let key = row.key.to_ascii_lowercase();
            (row.instance_id, row.role.as_str(), is_told) == (instance_id, &role, true)
                && part.as_ref().is_none_or(|part| key.contains(part))
        });
        let mut rows: Vec<MemoryRow> = rows.cloned().collect();
        rows.sort_by_key(|row| (row.key.clone(), row.context_id != GLOBAL));
        rows.truncate(OF_A_ROLE_MAX);
        Ok(rows)
    }

    fn memory(&self, memory_id: Uuid) -> Result<Option<MemoryRow>, StoreError> {
        Ok(self.data.lock().tokens.memories.get(&memory_id).cloned())
    }

    fn touch_memories(&self, memory_ids: &[Uuid], now: Time) -> Result<(), StoreError> {
        let memories = &mut self.data.lock().tokens.memories;
        for memory_id in memory_ids {
            if let Some(row) = memories.get_mut(memory_id) {
                row.accessed_at = Some(now);
            }
        }
        Ok(())
    }

    fn put_memory(&self, memory: &MemoryRow) -> Result<MemoryRow, StoreError> {
        self.data.lock().tokens.learn(memory)
    }

    fn mark_toxic(&self, memory_id: Uuid, reason: &str) -> Result<Option<MemoryRow>, StoreError> {
        let mut data = self.data.lock();
        let Some(row) = data.tokens.memories.get_mut(&memory_id) else { return Ok(None) };
        row.is_toxic = true;
        row.toxic_reason = Some(nul_safe(reason).into_owned());
        Ok(Some(row.clone()))
    }

    fn decay_memories(&self, instance_id: Option<Uuid>, before: Time) -> Result<u64, StoreError> {
        let memories = &mut self.data.lock().tokens.memories;
        let count = memories.len();
        memories.retain(|_, row| {
            instance_id.is_some_and(|instance_id| row.instance_id != instance_id)
                || row.accessed_at.is_none_or(|at| at >= before)
        });
        Ok((count - memories.len()) as u64)
    }

    fn unit(&self, project: &str, unit_id: Uuid) -> Result<Option<UnitRow>, StoreError> {
        let data = self.data.lock();
        Ok(data.tokens.units.get(&unit_id).filter(|unit| unit.project == project).cloned())
    }

    fn units(
        &self,
        project: &str,
        filter: &UnitFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        Ok(self.data.lock().tokens.list_units(project, &filter.clone().safe(), after, limit))
    }

    fn units_of_run(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<UnitRow>, StoreError> {
        let data = self.data.lock();
        let own = data.tokens.units.values().filter(|unit| unit.run_id == run_id);
        let behind = own.filter(|unit| after.is_none_or(|after| unit.ordinal > after));
        let mut rows: Vec<UnitRow> = behind.cloned().collect();
        rows.sort_by_key(|unit| unit.ordinal);
        Ok(page(rows, limit))
    }

    fn unit_counts(&self, instance_id: Uuid) -> Result<Vec<UnitCount>, StoreError> {
        Ok(self.data.lock().tokens.count_units(instance_id))
    }

    fn tasks(&self, after: Option<Uuid>, limit: usize) -> Result<Page<TaskRow>, StoreError> {
        let data = self.data.lock();
        let behind = data.tokens.tasks.values();
        let behind = behind.filter(|task| after.is_none_or(|after| task.task_id > after));
        Ok(page(behind.take(limit.saturating_add(1)).cloned().collect(), limit))
    }

    fn task(&self, task_id: Uuid) -> Result<Option<TaskRow>, StoreError> {
        Ok(self.data.lock().tokens.tasks.get(&task_id).cloned())
    }

    fn intervention(
        &self,
        project: &str,
        request_id: Uuid,
    ) -> Result<Option<InterventionRow>, StoreError> {
        let data = self.data.lock();
        let row = data.tokens.interventions.get(&request_id);
        Ok(row.filter(|row| row.project == project).cloned())
    }

    fn interventions(
        &self,
        project: &str,
        filter: &InterventionFilter,
        limit: usize,
        offset: usize,
    ) -> Result<Page<InterventionRow>, StoreError> {
        let (data, filter) = (self.data.lock(), filter.clone().safe());
        let rows = data.tokens.interventions.values().filter(|row| {
            row.project == project
                && filter.status.as_ref().is_none_or(|status| row.status == *status)
                && filter.kind.as_ref().is_none_or(|kind| row.kind == *kind)
                && (filter.assigned_to.is_none() || filter.assigned_to == row.assigned_to)
                && filter.instance_id.is_none_or(|id| row.instance_id == id)
                && filter.unit_id.is_none_or(|id| row.unit_id == id)
        });
        let mut rows: Vec<InterventionRow> = rows.cloned().collect();
        rows.sort_by_key(|row| (row.rank(), row.created_at, row.request_id));
        Ok(page(rows.into_iter().skip(offset).collect(), limit))
    }

    fn intervention_metrics(&self, project: &str) -> Result<InterventionMetrics, StoreError> {
        let data = self.data.lock();
        let mut metrics = InterventionMetrics::default();
        let (mut answered, mut spent) = (0, 0);
        let mut answerers: BTreeMap<&String, u64> = BTreeMap::new();
        for row in data.tokens.interventions.values().filter(|row| row.project == project) {
            let (status, kind, priority) = (&row.status, &row.kind, &row.priority);
            metrics.count(status.clone(), kind.clone(), priority.clone(), 1);
            if let Some(at) = row.action_at {
                answered += 1;
                spent += at.micros() - row.created_at.micros();
            }
            if let Some(by) = row.action_by.as_ref().filter(|_| row.status != "EXPIRED") {
                *answerers.entry(by).or_default() += 1;
            }
        }
        metrics.mean_resolution_micros = (answered > 0).then(|| spent / answered);
        let mut top: Vec<_> = answerers.into_iter().map(|(by, n)| (by.clone(), n)).collect();
        top.sort_by_key(|(by, count)| (Reverse(*count), by.clone()));
        top.truncate(TOP);
        Ok(InterventionMetrics { top, ..metrics })
    }
}

fn taken(what: &str) -> StoreError {
    StoreError::Damaged(format!("there is such a {what} already"))
}
