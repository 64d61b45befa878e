//! The reference model: what a store means, in plain maps under one lock.
//!
//! It is what the SQL stores are compared with, what the simulation runs on, and where
//! `windlass run` keeps a run that nobody asked to keep. Nothing in it outlives the process.

mod access;
mod analytics;
mod lists;
mod logs;
mod retention;
mod tokens;
mod units;
mod write;

use std::collections::BTreeMap;

use parking_lot::Mutex;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Counts, StepStatus, path};

use crate::access::{ApiKeyRow, SecretRow};
use crate::analytics::{KindSum, RunGlance, ScanFilter};
use crate::audit::AuditRow;
use crate::error::StoreError;
use crate::expiry::Expiry;
use crate::logs::{FoundLine, LogFilter, LogRow, LogSearch};
use crate::message::{Message, MessageKey};
use crate::rows::{
    Admission, AskKey, AskRow, CacheRow, DefinitionRow, KeyRow, NumberedEvent, Overview, Page,
    Pause, RunFilter, RunPage, RunRow, Snapshot, Spent, StepRow, StoredRun, TimerRow, UsageFilter,
    UsageRow, WorkflowRow,
};
use crate::store::Store;
use crate::write::{Conflict, Deploy, Deployed, RunWrite};

/// A store in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Data {
    epoch: i64,
    /// With the time of deletion.
    workflows: BTreeMap<Uuid, (WorkflowRow, Option<Time>)>,
    definitions: BTreeMap<Uuid, DefinitionRow>,
    runs: BTreeMap<Uuid, Run>,
    /// By project, route and key, with the time of use.
    keys: BTreeMap<(String, String, String), (KeyRow, Time)>,
    /// By project and key.
    cache: BTreeMap<(String, String), CacheRow>,
    /// By run, day, node, provider and model.
    usage: BTreeMap<(Uuid, i64, String, String, String), UsageRow>,
    last_line_id: i64,
    messages: BTreeMap<MessageKey, Message>,
    settings: BTreeMap<String, String>,
    /// By project and name.
    secrets: BTreeMap<(String, String), SecretRow>,
    api_keys: BTreeMap<Uuid, ApiKeyRow>,
    audit: Vec<AuditRow>,
    tokens: tokens::TokenData,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    events: Vec<NumberedEvent>,
    steps: BTreeMap<u32, StepRow>,
    timers: BTreeMap<String, Time>,
    asks: BTreeMap<String, AskRow>,
    snapshot: Option<Snapshot>,
    /// With their numbers among all lines.
    logs: Vec<(i64, LogRow)>,
}

impl Run {
    fn last_seq(&self) -> u64 {
        self.events.last().map_or(0, |event| event.seq)
    }

    fn last_log_seq(&self) -> u64 {
        self.logs.last().map_or(0, |(_, log)| log.log_seq)
    }

    /// The row, with what it says of late as it is now.
    fn row_up_to_date(&self) -> RunRow {
        if self.row.status.is_terminal() {
            return self.row.clone();
        }
        let mut counts = Counts::default();
        self.steps.values().for_each(|step| counts.add(step.status, 1));
        let pending = self.row.counts.total().saturating_sub(counts.total());
        counts.add(StepStatus::Pending, pending);
        RunRow { last_seq: self.last_seq(), counts, ..self.row.clone() }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Puts a definition in as it is, with the workflow it is a version of: what was taken out of
    /// another store keeps its ids and its number.
    pub fn put_definition(&self, workflow: WorkflowRow, definition: DefinitionRow) {
        let mut data = self.data.lock();
        data.definitions.insert(definition.definition_id, definition);
        data.workflows.insert(workflow.workflow_id, (workflow, None));
    }
}

impl Store for MemoryStore {
    fn take_over(&self, _boot_id: &str, _now: Time) -> Result<i64, StoreError> {
        let mut data = self.data.lock();
        data.epoch += 1;
        Ok(data.epoch)
    }

    fn commit(&self, epoch: i64, group: &[RunWrite]) -> Result<Vec<(usize, Conflict)>, StoreError> {
        let mut data = self.data.lock();
        if epoch < data.epoch {
            return Err(StoreError::Fenced);
        }
        let mut conflicts = Vec::new();
        for (place, run) in group.iter().enumerate() {
            if let Some(conflict) = data.write_run(epoch, run)? {
                conflicts.push((place, conflict));
            }
        }
        Ok(conflicts)
    }

    fn load_run(&self, run_id: Uuid, state_version: u32) -> Result<Option<StoredRun>, StoreError> {
        let data = self.data.lock();
        Ok(data.runs.get(&run_id).map(|run| {
            let snapshot =
                run.snapshot.clone().filter(|snapshot| snapshot.version == state_version);
            let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
            let events = run.events.iter().filter(|event| event.seq > after).cloned().collect();
            let last_log_seq = run.last_log_seq();
            StoredRun { row: run.row_up_to_date(), snapshot, events, last_log_seq }
        }))
    }

    fn orphans(
        &self,
        epoch: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        Ok(self.data.lock().orphans(epoch, after, limit))
    }

    fn asks(
        &self,
        project: &str,
        kind: &str,
        name: Option<&str>,
        after: Option<&AskKey>,
        limit: usize,
    ) -> Result<Page<AskRow>, StoreError> {
        Ok(self.data.lock().list_asks(project, kind, name, after, limit))
    }

    fn due_timers(&self, until: Time, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        Ok(self.data.lock().due_timers(until, limit))
    }

    fn admissions(&self, after: Option<Uuid>, limit: usize) -> Result<Page<Admission>, StoreError> {
        Ok(self.data.lock().list_admissions(after, limit))
    }

    fn messages(
        &self,
        after: Option<(Time, MessageKey)>,
        limit: usize,
    ) -> Result<Page<Message>, StoreError> {
        Ok(self.data.lock().list_messages(after, limit))
    }

    fn deploy(&self, deploy: &Deploy) -> Result<Deployed, StoreError> {
        Ok(self.data.lock().deploy(deploy))
    }

    fn delete_workflow(
        &self,
        workflow_id: Uuid,
        expected_version: Option<u32>,
        now: Time,
    ) -> Result<Option<u32>, StoreError> {
        let mut data = self.data.lock();
        let Some((workflow, deleted_at)) = data.workflows.get_mut(&workflow_id) else {
            return Ok(None);
        };
        if deleted_at.is_some() {
            return Ok(None);
        }
        if expected_version.is_none_or(|expected| expected == workflow.version) {
            *deleted_at = Some(now);
        }
        Ok(Some(workflow.version))
    }

    fn pause_workflow(
        &self,
        workflow_id: Uuid,
        pause: Option<&Pause>,
    ) -> Result<Option<WorkflowRow>, StoreError> {
        Ok(self.data.lock().pause_workflow(workflow_id, pause))
    }

    fn workflow(&self, project: &str, word: &str) -> Result<Option<WorkflowRow>, StoreError> {
        Ok(self.data.lock().find_workflow(project, word).cloned())
    }

    fn workflows(
        &self,
        project: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<WorkflowRow>, StoreError> {
        Ok(self.data.lock().list_workflows(project, after, limit))
    }

    fn versions(
        &self,
        workflow_id: Uuid,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Page<DefinitionRow>, StoreError> {
        Ok(self.data.lock().list_versions(workflow_id, before, limit))
    }

    fn definition(&self, definition_id: Uuid) -> Result<Option<DefinitionRow>, StoreError> {
        Ok(self.data.lock().definitions.get(&definition_id).cloned())
    }

    fn run(&self, project: &str, word: &str) -> Result<Option<RunRow>, StoreError> {
        Ok(self.data.lock().find_run(project, word).map(Run::row_up_to_date))
    }

    fn runs_called(
        &self,
        project: &str,
        names: &[String],
    ) -> Result<Vec<(String, Uuid)>, StoreError> {
        Ok(self.data.lock().find_called(project, names))
    }

    fn overview(&self, run_id: Uuid, step_limit: usize) -> Result<Option<Overview>, StoreError> {
        let data = self.data.lock();
        Ok(data.runs.get(&run_id).map(|run| Overview {
            row: run.row_up_to_date(),
            steps: data.list_steps(run_id, None, step_limit),
            last_log_seq: run.last_log_seq(),
        }))
    }

    fn runs(
        &self,
        project: &str,
        filter: &RunFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        Ok(self.data.lock().list_runs(project, filter, before, limit))
    }

    fn scan_runs(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
        each: &mut dyn FnMut(RunGlance),
    ) -> Result<bool, StoreError> {
        // Whoever counts may ask the store something else meanwhile.
        let (glances, has_more) = self.data.lock().glances(project, filter, at_most);
        glances.into_iter().for_each(each);
        Ok(has_more)
    }

    fn kinds_of_steps(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> Result<Vec<KindSum>, StoreError> {
        Ok(self.data.lock().kind_sums(project, filter, at_most))
    }

    fn steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        Ok(self.data.lock().list_steps(run_id, after, limit))
    }

    fn standings(&self, run_id: Uuid) -> Result<BTreeMap<String, Counts>, StoreError> {
        let data = self.data.lock();
        let steps = data.runs.get(&run_id).into_iter().flat_map(|run| run.steps.values());
        let mut standings: BTreeMap<String, Counts> = BTreeMap::new();
        for step in steps {
            standings.entry(path::address_of(&step.path)).or_default().add(step.status, 1);
        }
        Ok(standings)
    }

    fn events(
        &self,
        run_id: Uuid,
        after: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page<NumberedEvent>, StoreError> {
        Ok(self.data.lock().list_events(run_id, after, limit, bytes_max))
    }

    fn events_at(&self, run_id: Uuid, seqs: &[u64]) -> Result<Vec<NumberedEvent>, StoreError> {
        let data = self.data.lock();
        let Some(run) = data.runs.get(&run_id) else { return Ok(Vec::new()) };
        let at = |seq: &u64| run.events.get(usize::try_from(seq.checked_sub(1)?).ok()?).cloned();
        Ok(seqs.iter().filter_map(at).collect())
    }

    fn logs(
        &self,
        run_id: Uuid,
        after: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Page<LogRow>, StoreError> {
        Ok(self.data.lock().list_logs(run_id, after, filter, limit))
    }

    fn find_logs(
        &self,
        project: &str,
        search: &LogSearch,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Page<FoundLine>, StoreError> {
        Ok(self.data.lock().find_logs(project, search, before, limit))
    }

    fn key(&self, project: &str, route: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        let place = (project.to_owned(), route.to_owned(), key.to_owned());
        Ok(self.data.lock().keys.get(&place).map(|(row, _)| row.clone()))
    }

    fn cached(&self, project: &str, key: &str, now: Time) -> Result<Option<CacheRow>, StoreError> {
        let data = self.data.lock();
        let row = data.cache.get(&(project.to_owned(), key.to_owned()));
        Ok(row.filter(|row| row.expires_at > now).cloned())
    }

    fn usage_of_run(&self, run_id: Uuid) -> Result<Vec<UsageRow>, StoreError> {
        let data = self.data.lock();
        let rows = data.usage.values().filter(|row| row.run_id == run_id);
        Ok(rows.cloned().collect())
    }

    fn usage(
        &self,
        project: &str,
        filter: &UsageFilter,
        limit: usize,
    ) -> Result<Vec<UsageRow>, StoreError> {
        Ok(self.data.lock().list_usage(project, filter, limit))
    }

    fn prune_usage(&self, epoch: i64, before_day: i64, limit: usize) -> Result<usize, StoreError> {
        let mut data = self.data.lock();
        if epoch < data.epoch {
            return Err(StoreError::Fenced);
        }
        Ok(data.prune_usage(before_day, limit))
    }

    fn prune_cache(&self, epoch: i64, now: Time, limit: usize) -> Result<usize, StoreError> {
        let mut data = self.data.lock();
        if epoch < data.epoch {
            return Err(StoreError::Fenced);
        }
        Ok(data.prune_cache(now, limit))
    }

    fn prune_keys(&self, epoch: i64, before: Time, limit: usize) -> Result<usize, StoreError> {
        let mut data = self.data.lock();
        if epoch < data.epoch {
            return Err(StoreError::Fenced);
        }
        Ok(data.prune_keys(before, limit))
    }

    fn expired_runs(&self, expiry: &Expiry, limit: usize) -> Result<Vec<RunRow>, StoreError> {
        Ok(self.data.lock().expired_runs(expiry, limit))
    }

    fn delete_runs(&self, epoch: i64, runs: &[Uuid]) -> Result<usize, StoreError> {
        let mut data = self.data.lock();
        if epoch < data.epoch {
            return Err(StoreError::Fenced);
        }
        Ok(data.delete_runs(runs))
    }

    fn prune_blobs(&self, _before: Time, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    fn tidy(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn spent(&self) -> Spent {
        Spent::default()
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
