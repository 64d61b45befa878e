//! What can be written.

use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::limits::KEYS_KEPT;
use windlass_core::run::{Counts, RunStatus};
use windlass_core::{Failure, Time};

use crate::logs::LogRow;
use crate::message::{Message, MessageKey};
use crate::rows::{AskRow, CacheRow, ConcurrencySlot, ParentRun, Snapshot, StepRow, UsageRow};
use crate::tokens::{InterventionRow, MemoryRow, TaskRow, UnitRow};

/// Everything one commit has to say about one run. It is written whole or not at all.
///
/// A write may also be about messages alone: with `after_seq` 0, nothing created, no event and no
/// standing, it concerns no run, and only `received` and `messages` count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunWrite {
    /// The run.
    pub run_id: Uuid,
    /// The number of the run's last event before this write; 0 if the write creates the run. If
    /// the run has gone on meanwhile, nothing is written.
    pub after_seq: u64,
    /// What creates the run, if it does not exist yet.
    pub create: Option<NewRun>,
    /// Where the run stands now. `None` leaves its row as it is: a row that only counts steps need
    /// not be written with every step.
    pub standing: Option<Standing>,
    /// The workflow that it turns out to be of.
    pub renamed: Option<Renamed>,
    /// Labels that it has from now on. One of the same key goes. They come on top of those it is
    /// created with.
    pub labels_set: BTreeMap<String, String>,
    /// The new events.
    pub chunks: Vec<Chunk>,
    /// The steps that have come up.
    pub new_steps: Vec<StepRow>,
    /// The steps that have changed. Their path, kind and `queued_at` stay as they are.
    pub changed_steps: Vec<StepRow>,
    /// Timers that have been set, by step. A step has at most one.
    pub timers_set: Vec<(String, Time)>,
    /// Timers that are no longer needed, by step.
    pub timers_cleared: Vec<String>,
    /// Steps that wait for somebody's word from now on.
    pub asks_set: Vec<AskRow>,
    /// Steps that wait for nobody's word any more.
    pub asks_cleared: Vec<String>,
    /// Outputs of it that may be used again.
    pub cached: Vec<CacheRow>,
    /// What models have taken, to be added to what is there. One row for each day, node, provider and
    /// model.
    pub usage: Vec<UsageRow>,
    /// Its units of work that have come up or changed, each as it is now. Run, path, ordinal, project,
    /// instance, parent and `created_at` of one that is there stay as they are.
    pub units: Vec<UnitRow>,
    /// What can be claimed of it or has been claimed, each as it is now. Path and project of one that
    /// is there stay as they are.
    pub tasks_set: Vec<TaskRow>,
    /// Tasks of it that are over, by id. They go before others are set.
    pub tasks_cleared: Vec<Uuid>,
    /// Requests to people that have come up or changed, each as it is now. Unit, run, instance,
    /// project, kind and `created_at` of one that is there stay as they are.
    pub interventions: Vec<InterventionRow>,
    /// What its actors have learned, to be kept as [`Tokens::put_memory`](crate::Tokens::put_memory)
    /// keeps it.
    pub learned: Vec<MemoryRow>,
    /// The folded state, if the run is to leave memory.
    pub snapshot: Option<Snapshot>,
    /// Whether an earlier snapshot is of no use any more.
    pub drop_snapshot: bool,
    /// New log lines.
    pub logs: Vec<LogRow>,
    /// Messages it has taken up. They are kept no longer.
    pub received: Vec<MessageKey>,
    /// New messages to other runs. One that is there already stays as it is.
    pub messages: Vec<Message>,
}

impl RunWrite {
    /// Whether it is about messages alone, and concerns no run.
    pub(crate) fn is_only_messages(&self) -> bool {
        self.after_seq == 0
            && self.create.is_none()
            && self.standing.is_none()
            && self.chunks.is_empty()
    }
}

/// What never changes about a run.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The project it belongs to.
    pub project: String,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// Searchable keys and values.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls it. Unique in the project.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<Uuid>,
    /// The step of another run that started it.
    pub parent: Option<ParentRun>,
    /// What it shares with other runs.
    pub concurrency: Option<ConcurrencySlot>,
    /// Runs of a higher priority start first; 0 is usual.
    pub priority: i32,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it was created.
    pub created_at: Time,
    /// The key it is created under.
    pub key: Option<IdempotencyKey>,
}

/// The workflow that a run turns out to be of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
}

/// A key that creates at most one run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    /// The route it was sent to. The same key means another thing on another route.
    pub route: String,
    /// The key.
    pub key: String,
    /// A hash of the request it was sent with.
    pub request_hash: String,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its status.
    pub status: RunStatus,
    /// Why, in a word.
    pub reason: Option<String>,
    /// The error, once it has failed.
    pub error: Option<Failure>,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// The number of its last event.
    pub last_seq: u64,
    /// How many of its steps stand where.
    pub counts: Counts,
}

/// Events of a run that are kept in one row. A row costs more than the events in it, so everything
/// a run has to say in one commit stands together, up to [`CHUNK_BYTES_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The number of the first event.
    pub first_seq: u64,
    /// The number of the last event.
    pub last_seq: u64,
    /// The events, as a JSON list.
    pub body: String,
}

/// A chunk is closed once its text has this many bytes. A single event may have more.
pub const CHUNK_BYTES_MAX: usize = 32 * 1024;

/// A chunk whose text has more bytes than this is kept in a file of its own, and its row names it.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Why one run of a group was not written. The others were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Its key has created a run before.
    KeyTaken {
        /// That run.
        run_id: Uuid,
        /// The hash of the request that created it.
        request_hash: String,
    },
    /// Another run of the project has its external id.
    ExternalIdTaken {
        /// That run.
        run_id: Uuid,
    },
    /// It has gone on since the writer last looked, or is gone.
    Changed,
    /// The database refused it.
    Refused(String),
}

/// A definition to be deployed.
#[derive(Clone, Debug, PartialEq)]
pub struct Deploy {
    /// The project.
    pub project: String,
    /// The workflow's name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What the text is written in.
    pub format: String,
    /// The text.
    pub source: String,
    /// A hash of what it says.
    pub content_hash: String,
    /// The workflow's id, if there is none of that name yet.
    pub new_workflow_id: Uuid,
    /// The definition's id, if it is new.
    pub new_definition_id: Uuid,
    /// When.
    pub now: Time,
    /// Deploy only over this version of the workflow; 0 if there must be none of that name.
    pub expected_version: Option<u32>,
}

/// What became of a definition that was to be deployed.
#[derive(Clone, Debug, PartialEq)]
pub enum Deployed {
    /// The workflow has a new version.
    New(crate::rows::WorkflowRow),
    /// The newest version says the same already.
    Same(crate::rows::WorkflowRow),
    /// The newest version is not the expected one.
    VersionMismatch {
        /// The newest version; 0 if there is no such workflow.
        current: u32,
    },
}

/// Keys used then or before have had their time at `now`.
pub(crate) fn expired_at(now: Time) -> Time {
    let kept = i64::try_from(KEYS_KEPT.as_micros()).unwrap_or(i64::MAX);
    Time::from_micros(now.micros().saturating_sub(kept))
}
