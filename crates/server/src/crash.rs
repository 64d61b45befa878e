//! A store that counts its commits, and ends the process right before or right after one of them.
//!
//! It is how `windlass test --crash-everywhere` comes to every durable boundary of a run. Everything
//! but `commit` is handed on as it is.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Counts;
use windlass_store::{
    Access, ActorRow, Admission, ApiKeyRow, AskKey, AskRow, AssignmentRow, AuditEntry, AuditRow,
    AuditVerdict, CacheRow, Conflict, DefinitionRow, Deploy, Deployed, Expiry, FoundLine,
    InstanceRow, InstanceStatus, InterventionFilter, InterventionMetrics, InterventionRow, KeyRow,
    KindSum, LogFilter, LogRow, LogSearch, MemoryRow, Message, MessageKey, NewInstance,
    NumberedEvent, Overview, Page, Pause, RunFilter, RunGlance, RunPage, RunRow, RunWrite,
    ScanFilter, SecretRow, Spent, StepRow, Store, StoreError, StoredRun, TaskRow, TimerRow, Tokens,
    UnitCount, UnitFilter, UnitRow, UsageFilter, UsageRow, WorkflowRow,
};

/// What to write down of the commits, and where to end.
#[derive(Clone, Debug)]
pub struct Crash {
    /// Gets a line for each commit, once it is durable: the numbers of the first and the last event.
    pub log: PathBuf,
    /// Where the process ends. Left out: nowhere.
    pub at: Option<Boundary>,
}

/// A place in the life of a process: right before or right after a commit becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// Which commit of the process, from 1.
    pub commit: u64,
    /// Whether the commit is durable when the process ends.
    pub is_after: bool,
}

impl FromStr for Boundary {
    type Err = String;

    fn from_str(text: &str) -> Result<Boundary, String> {
        let (commit, side) = text.split_once(':').ok_or("it is `N:before` or `N:after`")?;
        let commit = commit.parse().map_err(|_| format!("`{commit}` is no number"))?;
        match side {
            "before" => Ok(Boundary { commit, is_after: false }),
            "after" => Ok(Boundary { commit, is_after: true }),
            _ => Err(format!("`{side}` is neither `before` nor `after`")),
        }
    }
}

impl std::fmt::Display for Boundary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.commit, if self.is_after { "after" } else { "before" })
    }
}

impl Crash {
    /// Puts the counter in front of a store.
    ///
    /// # Errors
    ///
    /// If the log cannot be opened.
    pub fn in_front_of(&self, store: Arc<dyn Store>) -> std::io::Result<Arc<dyn Store>> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        Ok(Arc::new(CrashStore { inner: store, at: self.at, log: Mutex::new((0, log)) }))
    }
}

struct CrashStore {
    inner: Arc<dyn Store>,
    at: Option<Boundary>,
    /// How many commits there were, and where they are written down. The lock makes them one after
    /// the other, so that their number means the same to everybody.
    log: Mutex<(u64, File)>,
}

impl CrashStore {
    fn end_if(&self, commit: u64, is_after: bool) {
        if self.at == Some(Boundary { commit, is_after }) {
            // As `kill -9` would: nothing is flushed, nobody says goodbye.
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
        }
    }
}

/// Hands methods on to the store behind.
macro_rules! hand_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> $answer { self.inner.$name($($argument),*) })*
    };
}

impl Store for CrashStore {
    fn commit(&self, epoch: i64, group: &[RunWrite]) -> Result<Vec<(usize, Conflict)>, StoreError> {
        let mut log = self.log.lock();
        log.0 += 1;
        let commit = log.0;
        self.end_if(commit, false);
        let answer = self.inner.commit(epoch, group)?;
        let events = group.iter().flat_map(|write| &write.chunks);
        let first = events.clone().map(|chunk| chunk.first_seq).min().unwrap_or_default();
        let last = events.map(|chunk| chunk.last_seq).max().unwrap_or_default();
        // A line that is missing shows as a boundary that is missing; it harms nobody else.
        let _ = writeln!(log.1, "{first} {last}");
        self.end_if(commit, true);
        Ok(answer)
    }

    hand_on! {
        take_over(boot_id: &str, now: Time) -> Result<i64, StoreError>;
        load_run(run_id: Uuid, state_version: u32) -> Result<Option<StoredRun>, StoreError>;
        orphans(epoch: i64, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, StoreError>;
        asks(project: &str, kind: &str, name: Option<&str>, after: Option<&AskKey>, limit: usize)
            -> Result<Page<AskRow>, StoreError>;
        cached(project: &str, key: &str, now: Time) -> Result<Option<CacheRow>, StoreError>;
        usage_of_run(run_id: Uuid) -> Result<Vec<UsageRow>, StoreError>;
        usage(project: &str, filter: &UsageFilter, limit: usize)
            -> Result<Vec<UsageRow>, StoreError>;
        prune_usage(epoch: i64, before_day: i64, limit: usize) -> Result<usize, StoreError>;
        prune_cache(epoch: i64, now: Time, limit: usize) -> Result<usize, StoreError>;
        due_timers(until: Time, limit: usize) -> Result<Vec<TimerRow>, StoreError>;
        admissions(after: Option<Uuid>, limit: usize) -> Result<Page<Admission>, StoreError>;
        messages(after: Option<(Time, MessageKey)>, limit: usize)
            -> Result<Page<Message>, StoreError>;
        deploy(deploy: &Deploy) -> Result<Deployed, StoreError>;
        delete_workflow(workflow_id: Uuid, expected_version: Option<u32>, now: Time)
            -> Result<Option<u32>, StoreError>;
        pause_workflow(workflow_id: Uuid, pause: Option<&Pause>)
            -> Result<Option<WorkflowRow>, StoreError>;
        workflow(project: &str, word: &str) -> Result<Option<WorkflowRow>, StoreError>;
        workflows(project: &str, after: Option<&str>, limit: usize)
            -> Result<Page<WorkflowRow>, StoreError>;
        versions(workflow_id: Uuid, before: Option<u32>, limit: usize)
            -> Result<Page<DefinitionRow>, StoreError>;
        definition(definition_id: Uuid) -> Result<Option<DefinitionRow>, StoreError>;
        run(project: &str, word: &str) -> Result<Option<RunRow>, StoreError>;
        runs_called(project: &str, names: &[String]) -> Result<Vec<(String, Uuid)>, StoreError>;
        overview(run_id: Uuid, step_limit: usize) -> Result<Option<Overview>, StoreError>;
        runs(project: &str, filter: &RunFilter, before: Option<Uuid>, limit: usize)
            -> Result<RunPage, StoreError>;
        scan_runs(
            project: &str, filter: &ScanFilter, at_most: usize, each: &mut dyn FnMut(RunGlance)
        ) -> Result<bool, StoreError>;
        kinds_of_steps(project: &str, filter: &ScanFilter, at_most: usize)
            -> Result<Vec<KindSum>, StoreError>;
        steps(run_id: Uuid, after: Option<u32>, limit: usize) -> Result<Page<StepRow>, StoreError>;
        standings(run_id: Uuid) -> Result<BTreeMap<String, Counts>, StoreError>;
        events(run_id: Uuid, after: u64, limit: usize, bytes_max: usize)
            -> Result<Page<NumberedEvent>, StoreError>;
        events_at(run_id: Uuid, seqs: &[u64]) -> Result<Vec<NumberedEvent>, StoreError>;
        logs(run_id: Uuid, after: u64, filter: &LogFilter, limit: usize)
            -> Result<Page<LogRow>, StoreError>;
        find_logs(project: &str, search: &LogSearch, before: Option<i64>, limit: usize)
            -> Result<Page<FoundLine>, StoreError>;
        key(project: &str, route: &str, key: &str) -> Result<Option<KeyRow>, StoreError>;
        prune_keys(epoch: i64, before: Time, limit: usize) -> Result<usize, StoreError>;
        expired_runs(expiry: &Expiry, limit: usize) -> Result<Vec<RunRow>, StoreError>;
        delete_runs(epoch: i64, runs: &[Uuid]) -> Result<usize, StoreError>;
        prune_blobs(before: Time, limit: usize) -> Result<usize, StoreError>;
        tidy() -> Result<bool, StoreError>;
        spent() -> Spent;
        check() -> Result<(), StoreError>;
    }
}

impl Access for CrashStore {
    hand_on! {
        create_api_key(key: &ApiKeyRow) -> Result<(), StoreError>;
        api_key_by_hash(hash: &str) -> Result<Option<ApiKeyRow>, StoreError>;
        api_keys(project: Option<&str>, after: Option<Uuid>, limit: usize)
            -> Result<Page<ApiKeyRow>, StoreError>;
        revoke_api_key(key_id: Uuid, now: Time) -> Result<Option<ApiKeyRow>, StoreError>;
        any_api_key() -> Result<bool, StoreError>;
        append_audit(entries: &[AuditEntry]) -> Result<Vec<AuditRow>, StoreError>;
        audit(project: Option<&str>, after: i64, limit: usize)
            -> Result<Page<AuditRow>, StoreError>;
        verify_audit() -> Result<AuditVerdict, StoreError>;
        setting(name: &str) -> Result<Option<String>, StoreError>;
        set_setting(name: &str, value: Option<&str>, now: Time) -> Result<(), StoreError>;
        put_secret(secret: &SecretRow) -> Result<(), StoreError>;
        secret(project: &str, name: &str) -> Result<Option<SecretRow>, StoreError>;
        secrets(after: (&str, &str), limit: usize) -> Result<Page<SecretRow>, StoreError>;
        delete_secret(project: &str, name: &str) -> Result<bool, StoreError>;
    }
}

impl Tokens for CrashStore {
    hand_on! {
        create_instance(new: &NewInstance) -> Result<(), StoreError>;
        instance(project: &str, word: &str) -> Result<Option<InstanceRow>, StoreError>;
        instances(project: &str, status: Option<InstanceStatus>, after: Option<Uuid>, limit: usize)
            -> Result<Page<InstanceRow>, StoreError>;
        set_instance_status(instance_id: Uuid, status: InstanceStatus, reason: Option<&str>, now: Time)
            -> Result<Option<InstanceRow>, StoreError>;
        put_actor(actor: &ActorRow) -> Result<ActorRow, StoreError>;
        actor(instance_id: Uuid, word: &str) -> Result<Option<ActorRow>, StoreError>;
        actors(instance_id: Uuid, after: Option<Uuid>, limit: usize)
            -> Result<Page<ActorRow>, StoreError>;
        assign(assignment: &AssignmentRow) -> Result<AssignmentRow, StoreError>;
        assignments(instance_id: Uuid, role: Option<&str>)
            -> Result<Vec<AssignmentRow>, StoreError>;
        revoke(assignment_id: Uuid, now: Time) -> Result<Option<AssignmentRow>, StoreError>;
        memories(instance_id: Uuid, role: &str, actor: Option<Uuid>, key_part: Option<&str>)
            -> Result<Vec<MemoryRow>, StoreError>;
        memory(memory_id: Uuid) -> Result<Option<MemoryRow>, StoreError>;
        touch_memories(memory_ids: &[Uuid], now: Time) -> Result<(), StoreError>;
        put_memory(memory: &MemoryRow) -> Result<MemoryRow, StoreError>;
        mark_toxic(memory_id: Uuid, reason: &str) -> Result<Option<MemoryRow>, StoreError>;
        decay_memories(instance_id: Option<Uuid>, before: Time) -> Result<u64, StoreError>;
        unit(project: &str, unit_id: Uuid) -> Result<Option<UnitRow>, StoreError>;
        units(project: &str, filter: &UnitFilter, after: Option<Uuid>, limit: usize)
            -> Result<Page<UnitRow>, StoreError>;
        units_of_run(run_id: Uuid, after: Option<u32>, limit: usize)
            -> Result<Page<UnitRow>, StoreError>;
        unit_counts(instance_id: Uuid) -> Result<Vec<UnitCount>, StoreError>;
        tasks(after: Option<Uuid>, limit: usize) -> Result<Page<TaskRow>, StoreError>;
        task(task_id: Uuid) -> Result<Option<TaskRow>, StoreError>;
        intervention(project: &str, request_id: Uuid)
            -> Result<Option<InterventionRow>, StoreError>;
        interventions(project: &str, filter: &InterventionFilter, limit: usize, offset: usize)
            -> Result<Page<InterventionRow>, StoreError>;
        intervention_metrics(project: &str) -> Result<InterventionMetrics, StoreError>;
    }
}
