use std::collections::BTreeMap;

use uuid::Uuid;

use super::lists::page;
use super::tokens::TokenData;
use crate::error::StoreError;
use crate::rows::Page;
use crate::tokens::*;
use crate::write::RunWrite;

impl TokenData {
    /// What a commit says about units of work.
    pub(super) fn write(&mut self, write: &RunWrite) -> Result<(), StoreError> {
        for unit in &write.units {
            let unit = UnitRow { run_id: write.run_id, ..unit.clone().safe() };
            let unit = match self.units.get(&unit.unit_id).cloned() {
                None => unit,
                Some(earlier) => UnitRow {
                    run_id: earlier.run_id,
                    path: earlier.path,
                    ordinal: earlier.ordinal,
                    project: earlier.project,
                    instance_id: earlier.instance_id,
                    parent_id: earlier.parent_id,
                    created_at: earlier.created_at,
                    ..unit
                },
            };
            self.units.insert(unit.unit_id, unit);
        }
        for task_id in &write.tasks_cleared {
            if self.tasks.get(task_id).is_some_and(|task| task.run_id == write.run_id) {
                self.tasks.remove(task_id);
            }
        }
        for task in &write.tasks_set {
            let task = TaskRow { run_id: write.run_id, ..task.clone().safe() };
            let task = match self.tasks.get(&task.task_id).cloned() {
                None => task,
                Some(earlier) => TaskRow {
                    run_id: earlier.run_id,
                    path: earlier.path,
                    project: earlier.project,
                    ..task
                },
            };
            self.tasks.insert(task.task_id, task);
        }
        for row in &write.interventions {
            let row = InterventionRow { run_id: write.run_id, ..row.clone().safe() };
            let row = match self.interventions.get(&row.request_id).cloned() {
                None => row,
                // An answer leaves the question as it was.
                Some(earlier) => InterventionRow {
                    status: row.status,
                    expires_at: row.expires_at,
                    updated_at: row.updated_at,
                    action_by: row.action_by,
                    action_reason: row.action_reason,
                    action_at: row.action_at,
                    ..earlier
                },
            };
            self.interventions.insert(row.request_id, row);
        }
        for memory in &write.learned {
            self.learn(memory)?;
        }
        Ok(())
    }

    /// Forgets what hangs on a run.
    pub(super) fn forget_run(&mut self, run_id: Uuid) {
        self.units.retain(|_, row| row.run_id != run_id);
        self.tasks.retain(|_, row| row.run_id != run_id);
        self.interventions.retain(|_, row| row.run_id != run_id);
    }

    pub(super) fn list_units(
        &self,
        project: &str,
        filter: &UnitFilter,
        after: Option<Uuid>,
        limit: usize,
    ) -> Page<UnitRow> {
        let rows = self.units.values().rev().filter(|unit| {
            unit.project == project
                && after.is_none_or(|after| unit.unit_id < after)
                && shows(filter, unit)
        });
        page(rows.take(limit.saturating_add(1)).cloned().collect(), limit)
    }

    pub(super) fn count_units(&self, instance_id: Uuid) -> Vec<UnitCount> {
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for unit in self.units.values().filter(|unit| unit.instance_id == instance_id) {
            *counts.entry((&unit.status, &unit.place, &unit.workflow)).or_default() += 1;
        }
        let count =
            |((status, place, workflow), count): ((&String, &Option<String>, &String), u64)| {
                UnitCount {
                    workflow: workflow.clone(),
                    place: place.clone(),
                    status: status.clone(),
                    count,
                }
            };
        counts.into_iter().map(count).collect()
    }
}

fn shows(filter: &UnitFilter, unit: &UnitRow) -> bool {
    let is = |wanted: &Option<String>, text: &Option<String>| wanted.is_none() || wanted == text;
    filter.instance_id.is_none_or(|id| unit.instance_id == id)
        && filter.run_id.is_none_or(|id| unit.run_id == id)
        && filter.status.as_ref().is_none_or(|status| unit.status == *status)
        && is(&filter.place, &unit.place)
        && is(&filter.role, &unit.role)
        && is(&filter.holder, &unit.holder)
        && (filter.parent_id.is_none() || filter.parent_id == unit.parent_id)
}
