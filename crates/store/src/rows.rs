//! What can be read back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::run::{Counts, Event, RunStatus, StepStatus};
use windlass_core::{Failure, Time};

/// A page of a list, and whether there is more behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Whether rows follow the last of them.
    pub has_more: bool,
}

/// A workflow: a name with versions.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRow {
    /// Its id.
    pub workflow_id: Uuid,
    /// The project it belongs to.
    pub project: String,
    /// What people call it. Unique among the project's workflows that are not deleted.
    pub name: String,
    /// Its newest version, from 1.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// What it is for.
    pub description: Option<String>,
    /// When its first version was deployed.
    pub created_at: Time,
    /// When its newest version was deployed.
    pub updated_at: Time,
    /// Why none of its runs starts, if it is paused.
    pub pause: Option<Pause>,
}

/// That something does not go on, by whose wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: Time,
    /// Who wished it.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// One immutable version of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct DefinitionRow {
    /// Its id.
    pub definition_id: Uuid,
    /// The workflow it is a version of.
    pub workflow_id: Uuid,
    /// Which, from 1.
    pub version: u32,
    /// What it is written in: `yaml` or `json`.
    pub format: String,
    /// The text as it was deployed.
    pub source: String,
    /// A hash of what the text says. The same content has the same hash.
    pub content_hash: String,
    /// When it was deployed.
    pub created_at: Time,
}

/// What lists show of a run. Input and output are in its journal.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Its id, a UUIDv7: newer runs sort behind older ones.
    pub run_id: Uuid,
    /// The project it belongs to.
    pub project: String,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name at that time.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The error, once it has failed.
    pub error: Option<Failure>,
    /// Searchable keys and values.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls it.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<Uuid>,
    /// The step of another run that started it.
    pub parent: Option<ParentRun>,
    /// What it shares with other runs.
    pub concurrency: Option<ConcurrencySlot>,
    /// Runs of a higher priority start first.
    pub priority: i32,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it was created.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// The number of its last event. In a list of runs that are going on, of an event of late.
    pub last_seq: u64,
    /// How many of its steps stand where. In a list of runs that are going on, of late.
    pub counts: Counts,
    /// The epoch of the server that wrote it last.
    pub owner: i64,
}

/// The step of a run that started another run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRun {
    /// The run.
    pub run_id: Uuid,
    /// The step's path.
    pub step: String,
    /// How many runs stand above the started one, from 1.
    pub depth: u32,
}

/// A key of which only so many runs of a project go on at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrencySlot {
    /// The key.
    pub key: String,
    /// How many.
    pub limit: u32,
}

/// An open run that holds a slot or waits for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The run.
    pub run_id: Uuid,
    /// Its project.
    pub project: String,
    /// Its workflow.
    pub workflow_id: Uuid,
    /// What it shares with other runs.
    pub concurrency: Option<ConcurrencySlot>,
    /// Runs of a higher priority start first.
    pub priority: i32,
    /// Whether it has begun, and so holds its slot.
    pub has_started: bool,
}

/// What lists show of a step. Input, output and error are in the journal, at the places named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// Its place in the order in which the run's steps came up, from 0.
    pub ordinal: u32,
    /// Its address in the run.
    pub path: String,
    /// The kind of its node.
    pub kind: String,
    /// Where it stands.
    pub status: StepStatus,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The current or last attempt; 0 before the first.
    pub attempt: u32,
    /// When its turn came.
    pub queued_at: Option<Time>,
    /// When its first attempt began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// Until when it waits.
    pub due_at: Option<Time>,
    /// The number of the event that has its input.
    pub input_seq: Option<u64>,
    /// The number of the event that has its output or error, or its last attempt's error.
    pub end_seq: Option<u64>,
}

/// An event with its number in the run's journal, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedEvent {
    /// Its number. There are no gaps.
    pub seq: u64,
    /// The event.
    pub event: Event,
}

/// A time at which a step of a run goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerRow {
    /// When.
    pub due_at: Time,
    /// The run.
    pub run_id: Uuid,
    /// The step.
    pub path: String,
}

/// A step that waits for somebody's word.
#[derive(Clone, Debug, PartialEq)]
pub struct AskRow {
    /// The project.
    pub project: String,
    /// The run.
    pub run_id: Uuid,
    /// The step.
    pub path: String,
    /// The workflow's name.
    pub workflow: String,
    /// `approval`, `signal` or `event`.
    pub kind: String,
    /// Of the signal or event; the title of an approval.
    pub name: String,
    /// Who may decide, what the event's data has to be.
    pub detail: Value,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub deadline: Option<Time>,
}

/// The place of an [`AskRow`] in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AskKey {
    /// Since when it waits.
    pub since: Time,
    /// The run.
    pub run_id: Uuid,
    /// The step.
    pub path: String,
}

impl AskRow {
    /// Its place in a list.
    pub fn key(&self) -> AskKey {
        AskKey { since: self.since, run_id: self.run_id, path: self.path.clone() }
    }
}

/// An output that may be used again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRow {
    /// The project.
    pub project: String,
    /// What it is found by.
    pub key: String,
    /// The run that made it.
    pub run_id: Uuid,
    /// The number of the event that has it.
    pub seq: u64,
    /// Until when it may be used.
    pub expires_at: Time,
}

/// What models have taken on one day, in one node of one run or of all runs of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// The project.
    pub project: String,
    /// The workflow's name.
    pub workflow: String,
    /// The run; nil where all runs of the workflow are meant.
    pub run_id: Uuid,
    /// The address of the node.
    pub node: String,
    /// Who provides the model.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The day, UTC, counted from 1970-01-01.
    pub day: i64,
    /// When the first call was made.
    pub first_at: Time,
    /// What was taken. A write adds it to what is there.
    pub taken: Taken,
}

/// What calls to models have taken. A change may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Calls that have ended.
    pub calls: i64,
    /// Tokens sent, the cached ones included.
    pub input_tokens: i64,
    /// Tokens answered.
    pub output_tokens: i64,
    /// Of the tokens sent, those that the provider had in its cache.
    pub cached_tokens: i64,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// Calls whose price nobody has written down.
    pub unpriced_calls: i64,
    /// How long the calls took, in milliseconds.
    pub latency_ms: i64,
    /// Calls that were allowed, and of which nobody knows whether they have ended.
    pub held_calls: i64,
    /// The most tokens that these can take.
    pub held_tokens: i64,
    /// The most that these can cost, in millionths of a US dollar.
    pub held_cost_micros: i64,
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Taken) {
        self.calls = self.calls.saturating_add(other.calls);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
        self.unpriced_calls = self.unpriced_calls.saturating_add(other.unpriced_calls);
        self.latency_ms = self.latency_ms.saturating_add(other.latency_ms);
        self.held_calls = self.held_calls.saturating_add(other.held_calls);
        self.held_tokens = self.held_tokens.saturating_add(other.held_tokens);
        self.held_cost_micros = self.held_cost_micros.saturating_add(other.held_cost_micros);
    }
}

/// Which days and whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageFilter {
    /// The workflow's name; all of the project if left out.
    pub workflow: Option<String>,
    /// The first day, counted from 1970-01-01.
    pub from_day: i64,
    /// The last day.
    pub to_day: i64,
    /// Whether hours are told apart: what a node of a run takes on a day counts in the hour of its first
    /// call.
    pub by_hour: bool,
}

/// Everything needed to bring a run back to memory.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRun {
    /// Its row.
    pub row: RunRow,
    /// Its folded state at some event, if there is one of a known version.
    pub snapshot: Option<Snapshot>,
    /// The events after that state, or all events.
    pub events: Vec<NumberedEvent>,
    /// The number of its last log line; 0 if it has none.
    pub last_log_seq: u64,
}

/// A run as it is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Its row, up to date.
    pub row: RunRow,
    /// Its first steps.
    pub steps: Page<StepRow>,
    /// The number of its last log line; 0 if it has none.
    pub last_log_seq: u64,
}

/// A run's folded state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of the last event folded into it.
    pub seq: u64,
    /// The version of the state's shape.
    pub version: u32,
    /// The state, as JSON.
    pub state: String,
}

/// Which runs a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only runs that stand at one of these; all if empty.
    pub statuses: Vec<RunStatus>,
    /// Only runs of this workflow.
    pub workflow_id: Option<Uuid>,
    /// Only runs that a step of this run started.
    pub parent: Option<Uuid>,
    /// Only runs that no other run repeats.
    pub is_unrepeated: bool,
    /// Only runs that have all of these labels.
    pub labels: Vec<(String, String)>,
    /// Only runs created at this time or later.
    pub created_after: Option<Time>,
    /// Only runs created before this time.
    pub created_before: Option<Time>,
    /// Only runs whose id, external id, workflow or error has this text in it, whatever its case.
    pub text: Option<String>,
    /// No index finds a text. Past so many runs that fit everything else, the page ends.
    pub look_at_most: Option<usize>,
}

/// Some of the runs that a filter shows, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPage {
    /// The runs.
    pub items: Vec<RunRow>,
    /// Before which run the next page begins; `None` if this is the last one. A page that was given up
    /// because of [`RunFilter::look_at_most`] may be short, or have no runs at all.
    pub next: Option<Uuid>,
}

impl RunPage {
    /// A page out of runs in the order of lists, of which one more than `limit` was looked for.
    /// Behind `given_up` nobody has looked.
    pub(crate) fn cut(mut items: Vec<RunRow>, limit: usize, given_up: Option<Uuid>) -> RunPage {
        items.retain(|row| given_up.is_none_or(|last| row.run_id >= last));
        let is_long = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|row| row.run_id);
        RunPage { next: if is_long { last } else { given_up }, items }
    }
}

/// Where the time of writing has gone, since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Transactions.
    pub transaction_count: u64,
    /// Writing rows.
    pub rows: Duration,
    /// Making them durable.
    pub sync: Duration,
    /// Giving back space and the like.
    pub tidy: Duration,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The run that was created with it.
    pub run_id: Uuid,
    /// A hash of the request it was created by.
    pub request_hash: String,
}
