use std::collections::BTreeMap;
use std::time::Duration;

use windlass_core::run::{RunStatus, StepStatus};

use super::{Data, Run};
use crate::analytics::{KindSum, RunGlance, ScanFilter};

impl Data {
    fn scanned(&self, project: &str, filter: &ScanFilter) -> impl Iterator<Item = &Run> {
        self.runs.values().rev().filter(move |run| {
            let row = &run.row;
            row.project == project
                && filter.workflow_id.is_none_or(|id| row.workflow_id == id)
                && filter.from.is_none_or(|from| row.created_at >= from)
                && filter.until.is_none_or(|until| row.created_at < until)
        })
    }

    pub(super) fn glances(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> (Vec<RunGlance>, bool) {
        let mut runs = self.scanned(project, filter).map(|run| &run.row);
        let glances = runs.by_ref().take(at_most).map(|row| RunGlance {
            run_id: row.run_id,
            workflow_id: row.workflow_id,
            workflow: row.workflow.clone(),
            status: row.status,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            error: row
                .error
                .as_ref()
                .filter(|_| row.status == RunStatus::Failed)
                .map(|error| error.message.clone()),
        });
        let glances = glances.collect();
        (glances, runs.next().is_some())
    }

    pub(super) fn kind_sums(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> Vec<KindSum> {
        let mut sums: BTreeMap<&str, KindSum> = BTreeMap::new();
        let steps = self.scanned(project, filter).take(at_most).flat_map(|run| run.steps.values());
        for step in steps {
            let sum = sums
                .entry(&step.kind)
                .or_insert_with(|| KindSum { kind: step.kind.clone(), ..KindSum::default() });
            sum.steps += 1;
            sum.succeeded += u64::from(step.status == StepStatus::Succeeded);
            sum.failed += u64::from(step.status == StepStatus::Failed);
            if let Some((began, ended)) = step.started_at.zip(step.finished_at) {
                let micros = u64::try_from(ended.micros() - began.micros()).unwrap_or(0);
                sum.total += Duration::from_micros(micros);
                sum.timed += 1;
            }
        }
        sums.into_values().collect()
    }
}
