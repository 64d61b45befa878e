use std::collections::BTreeSet;

use uuid::Uuid;

use super::Data;
use crate::expiry::{Expiry, is_over};
use crate::rows::RunRow;

impl Data {
    /// Whether a run is over and nobody of its family keeps it.
    fn may_go(&self, row: &RunRow) -> bool {
        let is_open_child = |other: &RunRow| {
            let parent = other.parent.as_ref().map(|parent| parent.run_id);
            parent == Some(row.run_id) && other.finished_at.is_none()
        };
        is_over(row)
            && row.parent.as_ref().is_none_or(|parent| !self.runs.contains_key(&parent.run_id))
            && !self.runs.values().any(|run| is_open_child(&run.row))
    }

    /// Whether fewer runs of its workflow are newer.
    fn is_among_newest(&self, row: &RunRow, count: u32) -> bool {
        let newer = self.runs.range(row.run_id..).skip(1).map(|(_, run)| &run.row);
        let newer = newer.filter(|other| other.workflow_id == row.workflow_id).count();
        newer < usize::try_from(count).unwrap_or(usize::MAX)
    }

    pub(super) fn expired_runs(&self, expiry: &Expiry, limit: usize) -> Vec<RunRow> {
        let outcomes = expiry.outcomes();
        let rows = self.runs.values().map(|run| &run.row);
        let mut found: Vec<RunRow> = rows
            .filter(|row| expiry.is_about(&row.workflow) && outcomes.contains(&row.status))
            .filter(|row| {
                let ended = |before| row.finished_at.is_some_and(|end| end < before);
                expiry.before.is_none_or(ended)
            })
            .filter(|row| expiry.keep_newest.is_none_or(|keep| !self.is_among_newest(row, keep)))
            .filter(|row| self.may_go(row))
            .cloned()
            .collect();
        found.sort_by_key(|row| (row.finished_at, row.run_id));
        found.truncate(limit);
        found
    }

    pub(super) fn delete_runs(&mut self, runs: &[Uuid]) -> usize {
        let rows = runs.iter().filter_map(|run_id| Some(&self.runs.get(run_id)?.row));
        let gone: BTreeSet<Uuid> =
            rows.filter(|row| self.may_go(row)).map(|row| row.run_id).collect();
        for run_id in &gone {
            self.runs.remove(run_id);
            self.tokens.forget_run(*run_id);
        }
        self.keys.retain(|_, (key, _)| !gone.contains(&key.run_id));
        self.recount_lines();
        gone.len()
    }
}
