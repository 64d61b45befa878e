//! What a shard is told, and what it wants done.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::expr::SecretSlot;
use windlass_core::run::{
    AttemptError, CacheUse, Concurrency, CreateRun, Mark, PilotAct, Record, Refused, RunState,
    RunStatus, RunWhy, TaskAct, Vote, What,
};
use windlass_core::{Budget, HumanDuration, Time};
use windlass_store::{
    Conflict, IdempotencyKey, LogRow, LogStream, Message, MessageKey, NumberedEvent, RunWrite,
    StoreError, TaskRow, TimerRow,
};

use super::measured::Measured;
use super::observe::Observe;
use crate::desk::Over;
use crate::usage::Call;
use crate::view::{AskView, RunView, TaskView};

/// What a shard is told. `T` stands for whoever waits for an answer.
#[derive(Debug)]
pub enum Input<T> {
    /// Create runs. All of them are in one commit.
    Create(Vec<Create<T>>),
    /// Take what is said of runs that other programs drive.
    Observe(Vec<Observe<T>>),
    /// Do something with a run.
    Command {
        /// The run.
        run_id: Uuid,
        /// What.
        command: Command,
        /// Who waits.
        ticket: T,
    },
    /// An attempt has something to say.
    Report {
        /// The run.
        run_id: Uuid,
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// What it has to say.
        report: Report,
    },
    /// The time a step waits for has come.
    Timer {
        /// The run.
        run_id: Uuid,
        /// The step.
        path: String,
    },
    /// Something a run has to take a stand on, though nobody waits for an answer.
    Tell {
        /// The run.
        run_id: Uuid,
        /// What.
        what: What,
    },
    /// Another run has something to say to one.
    Message(Message),
    /// Begin nothing and go on with nothing, or do so again.
    Halt(bool),
    /// A run's owner is gone: take it over.
    Adopt {
        /// The run.
        run_id: Uuid,
    },
    /// A run that was asked for by [`Output::Load`].
    Loaded {
        /// The run.
        run_id: Uuid,
        /// What was found.
        found: Result<Found, StoreError>,
    },
    /// What became of the batch of [`Output::Commit`].
    Committed(Result<Vec<(usize, Conflict)>, StoreError>),
}

/// A run to be created.
#[derive(Debug)]
pub struct Create<T> {
    /// The project.
    pub project: Arc<str>,
    /// The definition.
    pub plan: Arc<Plan>,
    /// What the core needs to know.
    pub request: CreateRun,
    /// The key it is created under.
    pub key: Option<IdempotencyKey>,
    /// Whether the answer waits until the run is over.
    pub until_over: bool,
    /// Who has paused it before its first step, if somebody has.
    pub paused_by: Option<String>,
    /// The message that asks for it, if another run does.
    pub message: Option<MessageKey>,
    /// Who waits, if somebody does.
    pub ticket: Option<T>,
}

/// What can be done with a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Stop it.
    Cancel {
        /// Who says so.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Stop it at once: nothing is cleaned up or undone.
    Terminate {
        /// Who says so.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Begin nothing further of it for now.
    Pause {
        /// Who says so.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Go on with it after a pause.
    Resume {
        /// Who says so.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Settle a step by hand.
    Mark {
        /// The step.
        path: String,
        /// What is to be taken for true.
        mark: Mark,
        /// Who says so.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Decide about what a step asks.
    Vote {
        /// The step.
        path: String,
        /// What is decided, and by whom.
        vote: Vote,
    },
    /// Send it a signal.
    Signal {
        /// Its name.
        name: String,
        /// What comes with it.
        payload: Arc<Value>,
        /// Who sends it.
        by: String,
        /// What its sender calls it.
        id: Option<String>,
    },
    /// Tell a step of an event that it waits for.
    Event {
        /// The step.
        path: String,
        /// The event's name.
        name: String,
        /// Its data.
        data: Arc<Value>,
        /// Who sends it.
        by: String,
    },
    /// Keep a note of how far an attempt has come.
    Record {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// What it calls the note.
        key: String,
        /// The note.
        value: Arc<Value>,
        /// The call to a model that it is about.
        call: Option<Box<Call>>,
    },
    /// A worker outside says something of a unit of work or a step.
    Task {
        /// The unit or step.
        path: String,
        /// What.
        act: TaskAct,
    },
    /// A pilot does something with a unit of work, or with all that somebody works on.
    Pilot {
        /// The unit; empty for all.
        path: String,
        /// Who.
        by: String,
        /// What.
        act: PilotAct,
    },
    /// Show a unit of work or a step that workers make, as it stands.
    ShowTask {
        /// The unit or step.
        path: String,
    },
    /// Say what a step asks.
    Asked {
        /// The step.
        path: String,
    },
    /// Bring it to memory and let it go on, if it is not there already.
    Wake,
    /// Say why it does not move, or why one step of it does not.
    Why {
        /// The step.
        step: Option<String>,
    },
}

/// What an attempt has to say.
#[derive(Clone, Debug)]
pub enum Report {
    /// It has begun.
    Started {
        /// When.
        at: Time,
    },
    /// It has written lines.
    Logs {
        /// With the time each was written.
        lines: Vec<(Time, LogStream, String)>,
    },
    /// It notes something, and does not wait until that is durable.
    Recorded {
        /// What it calls the note.
        key: String,
        /// The note.
        value: Arc<Value>,
        /// The call to a model that it is about.
        call: Option<Box<Call>>,
    },
    /// It has ended.
    Ended {
        /// When it began.
        started_at: Time,
        /// With what.
        result: Result<Arc<Value>, AttemptError>,
    },
    /// It need not be made: there is an earlier output.
    Cached {
        /// The run that made it.
        run_id: Uuid,
        /// The output.
        output: Arc<Value>,
    },
    /// It has ended because somebody has to decide something first.
    Asks {
        /// When it began.
        started_at: Time,
        /// What the answer is to be called.
        key: String,
        /// What is asked: the config of an `approval`.
        ask: Arc<Value>,
    },
    /// It was given up with the server, and has no result.
    Abandoned,
}

/// What was found when a run was asked for.
#[derive(Debug)]
pub enum Found {
    /// The run.
    Run(Box<LoadedRun>),
    /// There is no such run.
    Nothing,
    /// There is one, but it cannot be brought back. A person has to look at it.
    Broken(String),
}

/// A run, folded from its journal.
#[derive(Debug)]
pub struct LoadedRun {
    /// The project.
    pub project: Arc<str>,
    /// The definition.
    pub plan: Arc<Plan>,
    /// The state.
    pub state: RunState,
    /// Bytes of its values.
    pub bytes: u64,
    /// The number of its last event.
    pub last_seq: u64,
    /// The number of its last log line.
    pub last_log_seq: u64,
    /// Whether the store has a snapshot of it.
    pub has_snapshot: bool,
    /// Whether another server wrote it last.
    pub is_orphan: bool,
}

/// What a shard wants done.
#[derive(Debug)]
pub enum Output<T> {
    /// Find a run, and answer with [`Input::Loaded`].
    Load {
        /// The run.
        run_id: Uuid,
    },
    /// Commit a batch, and answer with [`Input::Committed`]. There is never more than one under
    /// way.
    Commit(Vec<RunWrite>),
    /// Make an attempt. It was durable that it is to be made before this was said.
    Start(AttemptOrder),
    /// Stop whatever is being done for a step.
    Stop {
        /// The run.
        run_id: Uuid,
        /// The step.
        path: String,
    },
    /// Come back at a time. The timer is durable.
    Timer(TimerRow),
    /// Find out whether a run may begin, and tell it so by [`Input::Tell`]. It is durable that it
    /// waits.
    Ask(Ask),
    /// A run that had to be admitted is over, durably.
    Over {
        /// The run.
        run_id: Uuid,
    },
    /// Hand a message to the run it is for. It is durable, unless it only refuses another one.
    Send(Message),
    /// Tell the desk what workers can take, and what they cannot take any more. It is durable.
    Tasks(Vec<TaskChange>),
    /// Tell whoever watches.
    Publish(Published),
    /// Answer whoever waits.
    Answer(T, Answer),
    /// Another server owns the store. This one must end.
    Fenced,
}

/// A run that wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The run.
    pub run_id: Uuid,
    /// Its workflow.
    pub workflow_id: Uuid,
    /// What it shares with others.
    pub concurrency: Option<Concurrency>,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
}

impl Ask {
    /// What a run asks as long as it has not been admitted.
    pub(super) fn of(state: &RunState) -> Option<Ask> {
        let created = &state.created;
        state.awaits_admission().then(|| Ask {
            run_id: created.run_id,
            workflow_id: created.workflow_id,
            concurrency: created.concurrency.clone(),
            priority: created.priority,
        })
    }
}

/// An attempt to be made.
#[derive(Clone, Debug)]
pub struct AttemptOrder {
    /// The run.
    pub run_id: Uuid,
    /// Its project.
    pub project: Arc<str>,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The step.
    pub path: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The kind of its node.
    pub kind: Arc<str>,
    /// The rendered config, with secrets as they were written.
    pub input: Arc<Value>,
    /// Where the secrets go.
    pub secrets: Vec<SecretSlot>,
    /// How much its calls to models may take: budgets of the node, and of the workflow.
    pub budgets: [Vec<Budget>; 2],
    /// Where an earlier output may be found.
    pub cache: Option<CacheUse>,
    /// What earlier attempts have recorded, in order.
    pub records: Vec<Record>,
    /// How long it may take.
    pub timeout: Option<HumanDuration>,
    /// How many triggers lie between the run and one that nobody's end has started.
    pub trigger_depth: u32,
    /// Whether it may be made anew when nobody knows what has become of it.
    pub effect: windlass_core::definition::Effect,
}

/// What has become durable about a run.
#[derive(Clone, Debug)]
pub struct Published {
    /// The run.
    pub run_id: Uuid,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// The new events.
    pub events: Vec<NumberedEvent>,
    /// The new log lines.
    pub logs: Vec<LogRow>,
    /// What is counted of it.
    pub measured: Measured,
    /// When the run began; for its duration.
    pub started_at: Option<Time>,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it is over.
    pub is_over: bool,
}

/// Something that workers can take has come up or changed hands, or is over.
#[derive(Clone, Debug)]
pub enum TaskChange {
    /// It stands so.
    Stands(Box<TaskRow>),
    /// It is over.
    Over {
        /// The task.
        task_id: Uuid,
        /// How.
        how: Over,
    },
    /// A role has learned something, or may have.
    Learned,
}

/// An answer to whoever waits.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The run as it stands, durably.
    Run(Box<RunView>),
    /// The key has created this run before.
    Existing {
        /// The run.
        run_id: Uuid,
        /// The hash of the request that created it.
        request_hash: String,
    },
    /// Another run has this external id.
    ExternalIdTaken {
        /// That run.
        run_id: Uuid,
    },
    /// Why the run does not move, as far as the run itself knows.
    Why(Box<RunWhy>),
    /// What a step asks.
    Asked(Box<AskView>),
    /// A unit of work, or a step that workers make, as it stands, durably.
    Task(Box<TaskView>),
    /// What was said of a run was heard, durably, but for the words at these places.
    Heard(Vec<(usize, Refused)>),
    /// There is no such run.
    NoSuchRun,
    /// The run takes no such thing now.
    Refused(Refused),
    /// Nothing was written. Later may be better.
    Unavailable(String),
    /// Nobody knows whether it was written.
    OutcomeUnknown(String),
    /// The run is there, but cannot be driven.
    Broken(String),
}
