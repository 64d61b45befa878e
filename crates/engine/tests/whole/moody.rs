//! A store whose next commit does as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Counts;
use windlass_store::*;

/// What becomes of a commit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    Fine,
    /// Nothing is written, and it says so. Until told otherwise.
    Full,
    /// It is written, but nobody knows. Once.
    WrittenButUnknown,
    /// It is not written, and nobody knows. Once.
    LostAndUnknown,
    /// As [`Mood::Full`], but only for groups that create a run of this workflow.
    NoneOf(&'static str),
}

pub(crate) struct Moody {
    store: Arc<dyn Store>,
    pub(crate) mood: Mutex<Mood>,
    /// How many groups were refused that had the end of an attempt in them.
    pub(crate) refused_ends: watch::Sender<u32>,
    /// How many groups were refused by [`Mood::NoneOf`].
    pub(crate) refused_news: watch::Sender<u32>,
    /// How many commits it was asked for.
    pub(crate) commits: AtomicU64,
}

impl Moody {
    pub(crate) fn over(store: Arc<dyn Store>) -> Arc<Moody> {
        let refused_ends = watch::channel(0).0;
        Arc::new(Moody {
            store,
            mood: Mutex::new(Mood::Fine),
            refused_ends,
            refused_news: watch::channel(0).0,
            commits: AtomicU64::new(0),
        })
    }
}

type Result<T> = std::result::Result<T, StoreError>;

/// Everything but `commit` is left to the store itself.
macro_rules! hand_on {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        $(fn $name(&self, $($argument: $type),*) -> $answer { self.store.$name($($argument),*) })+
    };
}

impl Store for Moody {
    fn commit(&self, epoch: i64, group: &[RunWrite]) -> Result<Vec<(usize, Conflict)>> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let mut mood = self.mood.lock();
        let unknown = || StoreError::OutcomeUnknown("the sync failed".into());
        match *mood {
            Mood::Fine => return self.store.commit(epoch, group),
            Mood::NoneOf(workflow) => {
                let mut new = group.iter().filter_map(|write| write.create.as_ref());
                if !new.any(|new| new.workflow == workflow) {
                    return self.store.commit(epoch, group);
                }
                self.refused_news.send_modify(|count| *count += 1);
                return Err(StoreError::Unavailable("the disk is full".into()));
            }
            Mood::Full => {
                let mut steps = group.iter().flat_map(|write| &write.changed_steps);
                if steps.any(|step| step.end_seq.is_some()) {
                    self.refused_ends.send_modify(|count| *count += 1);
                }
                return Err(StoreError::Unavailable("the disk is full".into()));
            }
            Mood::WrittenButUnknown => drop(self.store.commit(epoch, group)?),
            Mood::LostAndUnknown => {}
        }
        *mood = Mood::Fine;
        Err(unknown())
    }

    hand_on! {
        fn take_over(boot_id: &str, now: Time) -> Result<i64>;
        fn load_run(run_id: Uuid, state_version: u32) -> Result<Option<StoredRun>>;
        fn orphans(epoch: i64, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>>;
        fn asks(project: &str, kind: &str, name: Option<&str>, after: Option<&AskKey>, limit: usize) -> Result<Page<AskRow>>;
        fn cached(project: &str, key: &str, now: Time) -> Result<Option<CacheRow>>;
        fn usage_of_run(run_id: Uuid) -> Result<Vec<UsageRow>>;
        fn usage(project: &str, filter: &UsageFilter, limit: usize) -> Result<Vec<UsageRow>>;
        fn prune_usage(epoch: i64, before_day: i64, limit: usize) -> Result<usize>;
        fn prune_cache(epoch: i64, now: Time, limit: usize) -> Result<usize>;
        fn due_timers(until: Time, limit: usize) -> Result<Vec<TimerRow>>;
        fn admissions(after: Option<Uuid>, limit: usize) -> Result<Page<Admission>>;
        fn messages(after: Option<(Time, MessageKey)>, limit: usize) -> Result<Page<Message>>;
        fn deploy(deploy: &Deploy) -> Result<Deployed>;
        fn delete_workflow(workflow_id: Uuid, version: Option<u32>, now: Time) -> Result<Option<u32>>;
        fn pause_workflow(workflow_id: Uuid, pause: Option<&Pause>) -> Result<Option<WorkflowRow>>;
        fn workflow(project: &str, word: &str) -> Result<Option<WorkflowRow>>;
        fn workflows(project: &str, after: Option<&str>, limit: usize) -> Result<Page<WorkflowRow>>;
        fn versions(workflow_id: Uuid, before: Option<u32>, limit: usize) -> Result<Page<DefinitionRow>>;
        fn definition(definition_id: Uuid) -> Result<Option<DefinitionRow>>;
        fn run(project: &str, word: &str) -> Result<Option<RunRow>>;
        fn runs_called(project: &str, names: &[String]) -> Result<Vec<(String, Uuid)>>;
        fn overview(run_id: Uuid, step_limit: usize) -> Result<Option<Overview>>;
        fn standings(run_id: Uuid) -> Result<BTreeMap<String, Counts>>;
        fn runs(project: &str, filter: &RunFilter, before: Option<Uuid>, limit: usize) -> Result<RunPage>;
        fn scan_runs(project: &str, filter: &ScanFilter, at_most: usize, each: &mut dyn FnMut(RunGlance)) -> Result<bool>;
        fn kinds_of_steps(project: &str, filter: &ScanFilter, at_most: usize) -> Result<Vec<KindSum>>;
        fn steps(run_id: Uuid, after: Option<u32>, limit: usize) -> Result<Page<StepRow>>;
        fn events(run_id: Uuid, after: u64, limit: usize, bytes_max: usize) -> Result<Page<NumberedEvent>>;
        fn events_at(run_id: Uuid, seqs: &[u64]) -> Result<Vec<NumberedEvent>>;
        fn logs(run_id: Uuid, after: u64, filter: &LogFilter, limit: usize) -> Result<Page<LogRow>>;
        fn find_logs(project: &str, search: &LogSearch, before: Option<i64>, limit: usize) -> Result<Page<FoundLine>>;
        fn key(project: &str, route: &str, key: &str) -> Result<Option<KeyRow>>;
        fn prune_keys(epoch: i64, before: Time, limit: usize) -> Result<usize>;
        fn expired_runs(expiry: &Expiry, limit: usize) -> Result<Vec<RunRow>>;
        fn delete_runs(epoch: i64, runs: &[Uuid]) -> Result<usize>;
        fn prune_blobs(before: Time, limit: usize) -> Result<usize>;
        fn tidy() -> Result<bool>;
        fn spent() -> Spent;
        fn check() -> Result<()>;
    }
}

impl Access for Moody {
    hand_on! {
        fn create_api_key(key: &ApiKeyRow) -> Result<()>;
        fn api_key_by_hash(hash: &str) -> Result<Option<ApiKeyRow>>;
        fn api_keys(project: Option<&str>, after: Option<Uuid>, limit: usize) -> Result<Page<ApiKeyRow>>;
        fn revoke_api_key(key_id: Uuid, now: Time) -> Result<Option<ApiKeyRow>>;
        fn any_api_key() -> Result<bool>;
        fn append_audit(entries: &[AuditEntry]) -> Result<Vec<AuditRow>>;
        fn audit(project: Option<&str>, after: i64, limit: usize) -> Result<Page<AuditRow>>;
        fn setting(name: &str) -> Result<Option<String>>;
        fn set_setting(name: &str, value: Option<&str>, now: Time) -> Result<()>;
        fn put_secret(secret: &SecretRow) -> Result<()>;
        fn secret(project: &str, name: &str) -> Result<Option<SecretRow>>;
        fn secrets(after: (&str, &str), limit: usize) -> Result<Page<SecretRow>>;
        fn delete_secret(project: &str, name: &str) -> Result<bool>;
    }
}

impl Tokens for Moody {
    hand_on! {
        fn create_instance(new: &NewInstance) -> Result<()>;
        fn instance(project: &str, word: &str) -> Result<Option<InstanceRow>>;
        fn instances(project: &str, status: Option<InstanceStatus>, after: Option<Uuid>, limit: usize) -> Result<Page<InstanceRow>>;
        fn set_instance_status(instance_id: Uuid, status: InstanceStatus, reason: Option<&str>, now: Time) -> Result<Option<InstanceRow>>;
        fn put_actor(actor: &ActorRow) -> Result<ActorRow>;
        fn actor(instance_id: Uuid, word: &str) -> Result<Option<ActorRow>>;
        fn actors(instance_id: Uuid, after: Option<Uuid>, limit: usize) -> Result<Page<ActorRow>>;
        fn assign(assignment: &AssignmentRow) -> Result<AssignmentRow>;
        fn assignments(instance_id: Uuid, role: Option<&str>) -> Result<Vec<AssignmentRow>>;
        fn revoke(assignment_id: Uuid, now: Time) -> Result<Option<AssignmentRow>>;
        fn memories(instance_id: Uuid, role: &str, actor: Option<Uuid>, key_part: Option<&str>) -> Result<Vec<MemoryRow>>;
        fn memory(memory_id: Uuid) -> Result<Option<MemoryRow>>;
        fn touch_memories(memory_ids: &[Uuid], now: Time) -> Result<()>;
        fn put_memory(memory: &MemoryRow) -> Result<MemoryRow>;
        fn mark_toxic(memory_id: Uuid, reason: &str) -> Result<Option<MemoryRow>>;
        fn decay_memories(instance_id: Option<Uuid>, before: Time) -> Result<u64>;
        fn unit(project: &str, unit_id: Uuid) -> Result<Option<UnitRow>>;
        fn units(project: &str, filter: &UnitFilter, after: Option<Uuid>, limit: usize) -> Result<Page<UnitRow>>;
        fn units_of_run(run_id: Uuid, after: Option<u32>, limit: usize) -> Result<Page<UnitRow>>;
        fn unit_counts(instance_id: Uuid) -> Result<Vec<UnitCount>>;
        fn tasks(after: Option<Uuid>, limit: usize) -> Result<Page<TaskRow>>;
        fn task(task_id: Uuid) -> Result<Option<TaskRow>>;
        fn intervention(project: &str, request_id: Uuid) -> Result<Option<InterventionRow>>;
        fn interventions(project: &str, filter: &InterventionFilter, limit: usize, offset: usize) -> Result<Page<InterventionRow>>;
        fn intervention_metrics(project: &str) -> Result<InterventionMetrics>;
    }
}
