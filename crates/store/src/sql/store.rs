//! The trait, verb by verb, each handed to the file that knows its tables.

use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Counts;

use super::read::Columns;
use super::{Connection, Driver, SqlStore, Statement};
use crate::analytics::{KindSum, RunGlance, ScanFilter};
use crate::error::StoreError;
use crate::expiry::Expiry;
use crate::logs::{FoundLine, LogFilter, LogRow, LogSearch};
use crate::message::{Message, MessageKey};
use crate::rows::{
    Admission, AskKey, AskRow, CacheRow, DefinitionRow, KeyRow, NumberedEvent, Overview, Page,
    Pause, RunFilter, RunPage, RunRow, Spent, StepRow, StoredRun, TimerRow, UsageFilter, UsageRow,
    WorkflowRow,
};
use crate::store::Store;
use crate::write::{Conflict, Deploy, Deployed, RunWrite};

static NEWEST_EPOCH: Statement = Statement::new("SELECT MAX(epoch) FROM server");

static INSERT_EPOCH: Statement =
    Statement::new("INSERT INTO server (epoch, boot_id, started_at) VALUES ($1, $2, $3)");

static PING: Statement = Statement::new("SELECT 1");

impl<D: Driver> Store for SqlStore<D> {
    fn take_over(&self, boot_id: &str, now: Time) -> Result<i64, StoreError> {
        let result = self.0.write(|connection| {
            let mut newest = 0;
            connection.query(&NEWEST_EPOCH, &[], &mut |row| {
                newest = Columns::of(row).opt_int()?.unwrap_or(0);
                Ok(())
            })?;
            let epoch = newest + 1;
            connection.execute(&INSERT_EPOCH, &[epoch.into(), boot_id.into(), now.into()])?;
            Ok(epoch)
        });
        result.map_err(StoreError::from)
    }

    fn commit(&self, epoch: i64, group: &[RunWrite]) -> Result<Vec<(usize, Conflict)>, StoreError> {
        self.write_group(epoch, group)
    }

    fn load_run(&self, run_id: Uuid, state_version: u32) -> Result<Option<StoredRun>, StoreError> {
        self.read_stored_run(run_id, state_version)
    }

    fn orphans(
        &self,
        epoch: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.read_orphans(epoch, after, limit)
    }

    fn asks(
        &self,
        project: &str,
        kind: &str,
        name: Option<&str>,
        after: Option<&AskKey>,
        limit: usize,
    ) -> Result<Page<AskRow>, StoreError> {
        self.read_asks(project, kind, name, after, limit)
    }

    fn due_timers(&self, until: Time, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        self.read_due_timers(until, limit)
    }

    fn admissions(&self, after: Option<Uuid>, limit: usize) -> Result<Page<Admission>, StoreError> {
        self.read_admissions(after, limit)
    }

    fn messages(
        &self,
        after: Option<(Time, MessageKey)>,
        limit: usize,
    ) -> Result<Page<Message>, StoreError> {
        self.read_messages(after, limit)
    }

    fn deploy(&self, deploy: &Deploy) -> Result<Deployed, StoreError> {
        self.write_definition(deploy)
    }

    fn delete_workflow(
        &self,
        workflow_id: Uuid,
        expected_version: Option<u32>,
        now: Time,
    ) -> Result<Option<u32>, StoreError> {
        self.remove_workflow(workflow_id, expected_version, now)
    }

    fn pause_workflow(
        &self,
        workflow_id: Uuid,
        pause: Option<&Pause>,
    ) -> Result<Option<WorkflowRow>, StoreError> {
        self.write_pause(workflow_id, pause)
    }

    fn workflow(&self, project: &str, word: &str) -> Result<Option<WorkflowRow>, StoreError> {
        self.read_workflow(project, word)
    }

    fn workflows(
        &self,
        project: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<WorkflowRow>, StoreError> {
        self.read_workflows(project, after, limit)
    }

    fn versions(
        &self,
        workflow_id: Uuid,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Page<DefinitionRow>, StoreError> {
        self.read_versions(workflow_id, before, limit)
    }

    fn definition(&self, definition_id: Uuid) -> Result<Option<DefinitionRow>, StoreError> {
        self.read_definition(definition_id)
    }

    fn run(&self, project: &str, word: &str) -> Result<Option<RunRow>, StoreError> {
        self.read_run(project, word)
    }

    fn runs_called(
        &self,
        project: &str,
        names: &[String],
    ) -> Result<Vec<(String, Uuid)>, StoreError> {
        self.read_runs_called(project, names)
    }

    fn overview(&self, run_id: Uuid, step_limit: usize) -> Result<Option<Overview>, StoreError> {
        self.read_overview(run_id, step_limit)
    }

    fn runs(
        &self,
        project: &str,
        filter: &RunFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<RunPage, StoreError> {
        self.read_runs(project, filter, before, limit)
    }

    fn scan_runs(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
        each: &mut dyn FnMut(RunGlance),
    ) -> Result<bool, StoreError> {
        self.read_glances(project, filter, at_most, each)
    }

    fn kinds_of_steps(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> Result<Vec<KindSum>, StoreError> {
        self.read_kind_sums(project, filter, at_most)
    }

    fn steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        self.read_steps(run_id, after, limit)
    }

    fn standings(&self, run_id: Uuid) -> Result<BTreeMap<String, Counts>, StoreError> {
        self.read_standings(run_id)
    }

    fn events(
        &self,
        run_id: Uuid,
        after: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page<NumberedEvent>, StoreError> {
        self.read_events(run_id, after, limit, bytes_max)
    }

    fn events_at(&self, run_id: Uuid, seqs: &[u64]) -> Result<Vec<NumberedEvent>, StoreError> {
        self.read_events_at(run_id, seqs)
    }

    fn logs(
        &self,
        run_id: Uuid,
        after: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Page<LogRow>, StoreError> {
        self.read_logs(run_id, after, filter, limit)
    }

    fn find_logs(
        &self,
        project: &str,
        search: &LogSearch,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Page<FoundLine>, StoreError> {
        self.find_lines(project, search, before, limit)
    }

    fn key(&self, project: &str, route: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        self.read_key(project, route, key)
    }

    fn cached(&self, project: &str, key: &str, now: Time) -> Result<Option<CacheRow>, StoreError> {
        self.read_cached(project, key, now)
    }

    fn usage_of_run(&self, run_id: Uuid) -> Result<Vec<UsageRow>, StoreError> {
        self.read_usage_of_run(run_id)
    }

    fn usage(
        &self,
        project: &str,
        filter: &UsageFilter,
        limit: usize,
    ) -> Result<Vec<UsageRow>, StoreError> {
        self.read_usage(project, filter, limit)
    }

    fn prune_usage(&self, epoch: i64, before_day: i64, limit: usize) -> Result<usize, StoreError> {
        self.delete_usage(epoch, before_day, limit)
    }

    fn prune_cache(&self, epoch: i64, now: Time, limit: usize) -> Result<usize, StoreError> {
        self.delete_cached(epoch, now, limit)
    }

    fn prune_keys(&self, epoch: i64, before: Time, limit: usize) -> Result<usize, StoreError> {
        self.delete_keys(epoch, before, limit)
    }

    fn expired_runs(&self, expiry: &Expiry, limit: usize) -> Result<Vec<RunRow>, StoreError> {
        self.read_expired(expiry, limit)
    }

    fn delete_runs(&self, epoch: i64, runs: &[Uuid]) -> Result<usize, StoreError> {
        self.remove_runs(epoch, runs)
    }

    fn prune_blobs(&self, before: Time, limit: usize) -> Result<usize, StoreError> {
        self.remove_blobs(before, limit)
    }

    fn tidy(&self) -> Result<bool, StoreError> {
        self.0.tidy()
    }

    fn spent(&self) -> Spent {
        self.0.spent()
    }

    fn check(&self) -> Result<(), StoreError> {
        self.0.read(|connection| Ok(connection.query(&PING, &[], &mut |_| Ok(()))?))
    }
}
