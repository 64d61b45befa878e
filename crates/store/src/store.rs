use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Counts;

use crate::access::Access;
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
use crate::tokens::Tokens;
use crate::write::{Conflict, Deploy, Deployed, RunWrite};

/// What every store can do, verb by verb. All methods block and may be called from any thread.
///
/// # Errors
///
/// Any method may answer [`StoreError::Unavailable`], and those that write
/// [`StoreError::OutcomeUnknown`].
pub trait Store: Access + Tokens + Send + Sync + 'static {
    /// Takes the store over. The number only grows; whoever has an older one can no longer commit.
    fn take_over(&self, boot_id: &str, now: Time) -> Result<i64, StoreError>;

    /// Writes a group of runs in one transaction, and returns when it is durable. A conflict
    /// concerns one run, named by its place in the group: that run is left out, the others are
    /// written.
    ///
    /// Answers [`StoreError::Fenced`] if another server has taken over since `epoch`.
    fn commit(&self, epoch: i64, group: &[RunWrite]) -> Result<Vec<(usize, Conflict)>, StoreError>;

    /// Everything needed to bring a run back to memory. A snapshot of another version than
    /// `state_version` is passed over.
    fn load_run(&self, run_id: Uuid, state_version: u32) -> Result<Option<StoredRun>, StoreError>;

    /// Steps of a project that wait for a word of this kind and, if one is named, of this name; those
    /// that have waited longest first, behind `after`.
    fn asks(
        &self,
        project: &str,
        kind: &str,
        name: Option<&str>,
        after: Option<&AskKey>,
        limit: usize,
    ) -> Result<Page<AskRow>, StoreError>;

    /// Runs that something has to be done for and that a server before `epoch` wrote last, by id.
    fn orphans(
        &self,
        epoch: i64,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Uuid>, StoreError>;

    /// Timers due until `until`, the earliest first.
    fn due_timers(&self, until: Time, limit: usize) -> Result<Vec<TimerRow>, StoreError>;

    /// Open runs that are queued or have a concurrency key, by id.
    fn admissions(&self, after: Option<Uuid>, limit: usize) -> Result<Page<Admission>, StoreError>;

    /// Messages that have not been taken up, the oldest first, behind the one of this time and key.
    fn messages(
        &self,
        after: Option<(Time, MessageKey)>,
        limit: usize,
    ) -> Result<Page<Message>, StoreError>;

    /// Deploys a definition: as a new version, unless the newest one says the same.
    fn deploy(&self, deploy: &Deploy) -> Result<Deployed, StoreError>;

    /// Deletes a workflow, if its newest version is `expected_version` or none is expected. Its
    /// runs and definitions stay. Answers the newest version, or `None` if there is no such
    /// workflow.
    fn delete_workflow(
        &self,
        workflow_id: Uuid,
        expected_version: Option<u32>,
        now: Time,
    ) -> Result<Option<u32>, StoreError>;

    /// Pauses a workflow, or ends its pause. Answers it as it is now, or `None` if there is no such
    /// workflow.
    fn pause_workflow(
        &self,
        workflow_id: Uuid,
        pause: Option<&Pause>,
    ) -> Result<Option<WorkflowRow>, StoreError>;

    /// The workflow of this id or name that is not deleted. An id wins over a name.
    fn workflow(&self, project: &str, word: &str) -> Result<Option<WorkflowRow>, StoreError>;

    /// Workflows that are not deleted, by name.
    fn workflows(
        &self,
        project: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<WorkflowRow>, StoreError>;

    /// Versions of a workflow, the newest first, below `before`.
    fn versions(
        &self,
        workflow_id: Uuid,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Page<DefinitionRow>, StoreError>;

    /// One definition.
    fn definition(&self, definition_id: Uuid) -> Result<Option<DefinitionRow>, StoreError>;

    /// The run of this id or, within the project, of this external id.
    fn run(&self, project: &str, word: &str) -> Result<Option<RunRow>, StoreError>;

    /// Runs of a project by what their callers call them. Names that nobody uses are left out.
    fn runs_called(
        &self,
        project: &str,
        names: &[String],
    ) -> Result<Vec<(String, Uuid)>, StoreError>;

    /// A run, its first steps and how far its log has come, all of one moment.
    fn overview(&self, run_id: Uuid, step_limit: usize) -> Result<Option<Overview>, StoreError>;

    /// Runs, the newest first, older than `before`.
    fn runs(
        &self,
        project: &str,
        filter: &RunFilter,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<RunPage, StoreError>;

    /// Hands over runs, the newest first, at most `at_most`. Answers whether there are more. It is one
    /// read, with the time limit of one: what is handed over should only be counted or put away.
    fn scan_runs(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
        each: &mut dyn FnMut(RunGlance),
    ) -> Result<bool, StoreError>;

    /// What the steps of those runs came to, by the kind of their node. Looks at the newest `at_most`
    /// of the runs, however many steps these have.
    fn kinds_of_steps(
        &self,
        project: &str,
        filter: &ScanFilter,
        at_most: usize,
    ) -> Result<Vec<KindSum>, StoreError>;

    /// Steps of a run in the order in which they came up, behind ordinal `after`.
    fn steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError>;

    /// How the steps of each node of a run stand, by the node's address: a step's path without the
    /// numbers of items, such as `each.fetch`. Nodes whose turn has not come are left out.
    fn standings(&self, run_id: Uuid) -> Result<BTreeMap<String, Counts>, StoreError>;

    /// Events of a run behind number `after`. The page also ends once its texts have `bytes_max`.
    fn events(
        &self,
        run_id: Uuid,
        after: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page<NumberedEvent>, StoreError>;

    /// The events of these numbers, in that order. Numbers that do not exist are left out.
    fn events_at(&self, run_id: Uuid, seqs: &[u64]) -> Result<Vec<NumberedEvent>, StoreError>;

    /// Log lines of a run behind number `after`, those that the filter shows.
    fn logs(
        &self,
        run_id: Uuid,
        after: u64,
        filter: &LogFilter,
        limit: usize,
    ) -> Result<Page<LogRow>, StoreError>;

    /// Log lines of all runs of a project in which a text is found, the newest first, older than the
    /// line `before`. An index finds the words. A search is given up as
    /// [`StoreError::Unavailable`] when it takes longer than a read may, or when some hundred thousand
    /// lines have all words but not side by side.
    fn find_logs(
        &self,
        project: &str,
        search: &LogSearch,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Page<FoundLine>, StoreError>;

    /// What an idempotency key stands for.
    fn key(&self, project: &str, route: &str, key: &str) -> Result<Option<KeyRow>, StoreError>;

    /// The output that is found by a key and may be used at `now`.
    fn cached(&self, project: &str, key: &str, now: Time) -> Result<Option<CacheRow>, StoreError>;

    /// What models have taken in a run, by day, node, provider and model.
    fn usage_of_run(&self, run_id: Uuid) -> Result<Vec<UsageRow>, StoreError>;

    /// What models have taken in a project, by day (or hour), workflow, node, provider and model, the
    /// newest day or hour first: at most `limit` rows.
    fn usage(
        &self,
        project: &str,
        filter: &UsageFilter,
        limit: usize,
    ) -> Result<Vec<UsageRow>, StoreError>;

    /// Forgets at most `limit` rows of what models have taken before a day. Answers how many, or
    /// [`StoreError::Fenced`] if another server has taken over since `epoch`.
    fn prune_usage(&self, epoch: i64, before_day: i64, limit: usize) -> Result<usize, StoreError>;

    /// Forgets at most `limit` outputs that may not be used any more. Answers how many, or
    /// [`StoreError::Fenced`] if another server has taken over since `epoch`.
    fn prune_cache(&self, epoch: i64, now: Time, limit: usize) -> Result<usize, StoreError>;

    /// Forgets at most `limit` keys used before `before`. Answers how many, or
    /// [`StoreError::Fenced`] if another server has taken over since `epoch`.
    fn prune_keys(&self, epoch: i64, before: Time, limit: usize) -> Result<usize, StoreError>;

    /// Runs of all projects that are over and have had their time, those that were over first first:
    /// at most `limit`. A sub-run is one of them once its parent has gone, and a run that has a sub-run
    /// which is not over is none. A very large run is deleted in parts, and found until it is gone,
    /// with the reason [`REASON_DELETING`](crate::REASON_DELETING) from its first part on.
    fn expired_runs(&self, expiry: &Expiry, limit: usize) -> Result<Vec<RunRow>, StoreError>;

    /// Deletes runs that are over, with everything that hangs on them, but for those that stand in a
    /// family as none of [`Store::expired_runs`] does. Of large runs it deletes fewer at once, the
    /// first ones, and of a very large one a part, which counts as one. Answers how many it deleted: if
    /// none, there is none left that may go. Answers [`StoreError::Fenced`] if another server has taken
    /// over since `epoch`.
    fn delete_runs(&self, epoch: i64, runs: &[Uuid]) -> Result<usize, StoreError>;

    /// Removes files of large values that no run names any more and that were written before
    /// `before`. That must lie well back, by an hour or so: a file is written before the commit that
    /// names it, and the outcome of a commit may be unknown. Looks at about `limit` files and goes on
    /// behind them next time. Answers how many it removed.
    fn prune_blobs(&self, before: Time, limit: usize) -> Result<usize, StoreError>;

    /// Gives back a part of what the store holds beyond what it needs: log files, space of what was
    /// deleted. For quiet moments: nothing can be written for some ten milliseconds. Answers whether
    /// there is more to give back.
    fn tidy(&self) -> Result<bool, StoreError>;

    /// Where the time of writing has gone so far.
    fn spent(&self) -> Spent;

    /// Whether the store can be read now.
    fn check(&self) -> Result<(), StoreError>;
}
