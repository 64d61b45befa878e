//! What can happen to a run. Events are written to journals and read by every later version, so a
//! field may be added with a default, and nothing may be renamed or removed.

mod created;
mod name;
mod parts;
mod seen;
mod unit;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use created::{Concurrency, Parent, Reused, RunCreated, UnitTerms};
pub use seen::{
    FlowName, FlowSeen, FlowWord, Inferred, ObservedTerms, SeenEnd, TaskSeen, TaskWord,
};
pub use unit::{Holder, ParkedFor, TaskTerms, UnitChanged, UnitCreated, UnitNoted};

pub use parts::{Again, CacheUse, Cause, Decision, EdgeDecision, Resume, Then, Undo, Verdict};

use crate::definition::Effect;
use crate::expr::SecretSlot;
use crate::failure::Failure;
use crate::kinds::Awaits;
use crate::run::RunStatus;
use crate::time::Time;

/// A fact and when it became one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: Time,
    /// What happened.
    #[serde(rename = "is")]
    pub fact: Fact,
}

/// What happened. Paths are addresses of steps, see [`super::path`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The run exists. Always the first event.
    RunCreated(Box<RunCreated>),
    /// The run has begun.
    RunStarted {
        /// How many nodes its graph has.
        nodes: u32,
        /// Those it begins with.
        ready: Vec<String>,
        /// Until when it has to be over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Time>,
    },
    /// The run may begin, as far as others are concerned.
    RunAdmitted {},
    /// Nothing further begins until the run is resumed. What is under way may end.
    RunPaused {
        /// Who wants it.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The run goes on.
    RunResumed {
        /// Who wants it.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A step asks for another run.
    ChildRequested {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// The node's config, rendered.
        input: Arc<Value>,
        /// The id that run will have.
        child: Uuid,
        /// Whether the step waits for its end, and not only for its beginning.
        awaited: bool,
    },
    /// A step's first attempt is to be made outside of the core.
    StepQueued {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// The node's config, rendered, with secrets as they were written.
        input: Arc<Value>,
        /// Where the secrets go.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<SecretSlot>,
        /// What repeating an attempt would do to the world.
        #[serde(default, skip_serializing_if = "is_default")]
        effect: Effect,
        /// Where an earlier output may be found, and this one be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<Box<CacheUse>>,
        /// The place that has failed or was cancelled, if the step undoes another one: the run
        /// (empty) or a `try`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
        /// How it is offered to workers, if those make its attempts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<Box<TaskTerms>>,
    },
    /// A worker has taken an attempt. It is theirs for as long as they give signs of life.
    StepClaimed {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// Who has it.
        holder: Box<Holder>,
    },
    /// A worker has given an attempt back. Another one may take it.
    StepReleased {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// Who had it.
        by: String,
    },
    /// A unit of work has come up.
    UnitCreated {
        /// The unit.
        path: String,
        /// What it is.
        unit: Box<UnitCreated>,
    },
    /// A unit of work stands elsewhere, or otherwise.
    UnitChanged {
        /// The unit.
        path: String,
        /// What has changed.
        change: Box<UnitChanged>,
    },
    /// Something is to be known of a unit of work.
    UnitNoted {
        /// The unit.
        path: String,
        /// What.
        note: Box<UnitNoted>,
    },
    /// The program that drives the run has said something of it as a whole.
    FlowSeen {
        /// What.
        seen: Box<FlowSeen>,
    },
    /// The program that drives the run has said something of a task.
    TaskSeen {
        /// The task.
        path: String,
        /// What.
        seen: Box<TaskSeen>,
    },
    /// It is known which flow the run is of. The first words of it did not say.
    FlowNamed {
        /// Which.
        #[serde(flatten)]
        flow: Box<FlowName>,
    },
    /// Lines were logged by the program that drives the run.
    LinesSeen {
        /// What their sender calls them.
        ids: Vec<u64>,
    },
    /// Something was heard of the run that another program drives.
    Watched {
        /// When its silence will be too long.
        until: Time,
    },
    /// Nothing was heard of the run for too long.
    Inferred {
        /// What is made of that.
        what: Inferred,
        /// When more is made of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// The end of the run starts one of another workflow. Of a run of ours it stands before that end.
    Triggered {
        /// How the run ends.
        status: RunStatus,
        /// The run that is started.
        run_id: Uuid,
        /// Its workflow.
        workflow_id: Uuid,
        /// That workflow's name at that time.
        workflow: String,
    },
    /// An attempt has begun. Left out of the journal if its end is written at the same time.
    AttemptStarted {
        /// The step.
        path: String,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// An attempt failed, and there will be another.
    AttemptFailed {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// When it began.
        started_at: Time,
        /// Why it failed.
        error: Failure,
        /// When the next one is due.
        retry_at: Time,
    },
    /// An attempt was lost, and nobody knows how far it came; there will be another.
    AttemptInterrupted {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// When the next one is due.
        retry_at: Time,
    },
    /// The wait for the next attempt is over.
    AttemptQueued {
        /// The step.
        path: String,
        /// Which attempt is to be made now.
        attempt: u32,
    },
    /// A step waits for a time.
    StepWaiting {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// The node's config, rendered.
        input: Arc<Value>,
        /// When it goes on.
        until: Time,
    },
    /// A step waits for somebody's word.
    StepAwaiting {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// What is asked: the node's config, rendered, or what an attempt wants to know.
        input: Arc<Value>,
        /// Whose word.
        awaits: Awaits,
        /// When something has to be done without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
        /// The attempt that goes on with the answer, if one has asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resumes: Option<Box<Resume>>,
    },
    /// Somebody has decided about what a step asks.
    StepDecided {
        /// The step.
        path: String,
        /// What they said.
        #[serde(flatten)]
        decision: Box<Decision>,
    },
    /// A step still waits for somebody's word.
    Reminded {
        /// The step.
        path: String,
        /// When something has to be done again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// The run was sent a signal.
    SignalReceived {
        /// Its name.
        name: String,
        /// What came with it.
        payload: Arc<Value>,
        /// Who sent it.
        by: String,
        /// What its sender calls it: a second one of the same id changes nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// A step takes the oldest signal of a name. Stands before the event that ends the step.
    SignalTaken {
        /// The step.
        by: String,
        /// The signal's name.
        name: String,
    },
    /// An event from outside is one that a step waits for. Stands before the event that ends the step.
    EventTaken {
        /// The step.
        path: String,
        /// Who sent it.
        by: String,
    },
    /// An attempt has noted how far it has come. The next one is told.
    StepRecorded {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// What it calls the note.
        key: String,
        /// The note.
        value: Arc<Value>,
    },
    /// An attempt was lost whose repetition could do harm. Somebody has to decide.
    StepParked {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
    },
    /// A step has an output.
    StepSucceeded {
        /// The step.
        path: String,
        /// The kind of its node, if this is the first event of the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// Which attempt did it.
        attempt: u32,
        /// When that attempt began, if it took any time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at: Option<Time>,
        /// The output.
        output: Arc<Value>,
        /// What became of the node's edges.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edges: Vec<EdgeDecision>,
        /// What undoes it, should something later fail.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<Box<Undo>>,
        /// The run whose output was used again, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cached: Option<Uuid>,
        /// Whether it was another run that did it.
        #[serde(default, skip_serializing_if = "is_default")]
        reused: bool,
    },
    /// A step has failed, and there will be no further attempt.
    StepFailed {
        /// The step.
        path: String,
        /// The kind of its node, if this is the first event of the step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        /// Which attempt was the last.
        attempt: u32,
        /// When that attempt began, if it took any time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at: Option<Time>,
        /// Why.
        error: Failure,
        /// What became of the node's edges.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edges: Vec<EdgeDecision>,
        /// Whether the definition provides for it, so that it does not fail the run.
        #[serde(default, skip_serializing_if = "is_default")]
        handled: bool,
        /// Whether it was another run that it failed in.
        #[serde(default, skip_serializing_if = "is_default")]
        reused: bool,
    },
    /// A step will never run.
    StepSkipped {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// Why: `condition`, `not_taken`, `run_failed`, `run_cancelled`.
        reason: String,
        /// What became of the node's edges.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edges: Vec<EdgeDecision>,
    },
    /// A step was stopped in mid-life.
    StepCancelled {
        /// The step.
        path: String,
        /// Why: `run_failed`, `run_cancelled`.
        reason: String,
        /// What became of the node's edges.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        edges: Vec<EdgeDecision>,
    },
    /// Somebody has settled a step by hand. Stands behind the event that settled it.
    StepMarked {
        /// The step.
        path: String,
        /// Who said so.
        by: String,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// An edge has jumped back: nodes that have run will run again.
    JumpedBack {
        /// The step it leads from.
        path: String,
        /// The node it leads to, whose turn has come.
        to: String,
        /// What runs again, the target included.
        again: Vec<Again>,
    },
    /// A `map` knows its items.
    MapOpened {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// The items.
        items: Arc<Vec<Value>>,
        /// How many may run at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        concurrency: Option<u32>,
        /// What the results are called, by item. Left out, they are a list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Arc<Vec<String>>>,
        /// How many items may fail. Left out, the definition's policy says what a failure does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerate: Option<u32>,
        /// How many nodes the body has.
        nodes: u32,
    },
    /// A `loop` is about to go round.
    LoopOpened {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// What the first iteration begins with.
        item: Arc<Value>,
        /// How often it may go round.
        max_iterations: u32,
        /// How many nodes the body has.
        nodes: u32,
    },
    /// A `try` is about to run its body.
    TryOpened {
        /// The step.
        path: String,
        /// The kind of its node.
        kind: String,
        /// The number of the body that runs last in any case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finally: Option<u32>,
    },
    /// Items of a `map`, an iteration of a `loop` or a body of a `try` have begun.
    ItemsOpened {
        /// The step.
        path: String,
        /// The first of them.
        from: u32,
        /// The one after the last.
        to: u32,
        /// The nodes each begins with.
        ready: Vec<String>,
        /// How many nodes each has, if that was not said when the block was opened.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nodes: Option<u32>,
    },
    /// An item has an output.
    ItemSucceeded {
        /// The item's scope, such as `each[3]`.
        scope: String,
        /// The output.
        output: Arc<Value>,
    },
    /// An item has failed.
    ItemFailed {
        /// The item's scope.
        scope: String,
        /// Why.
        error: Failure,
    },
    /// An item was stopped.
    ItemCancelled {
        /// The item's scope.
        scope: String,
    },
    /// Everything in a place is to be told to end.
    Stopping {
        /// The run (empty), an item's scope, or a block's step.
        at: String,
        /// Why.
        cause: Cause,
        /// Nodes that may still run, with what follows them: the run's clean-up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keep: Vec<String>,
        /// Whether nothing may clean up or undo.
        #[serde(default, skip_serializing_if = "is_default")]
        force: bool,
        /// Who wants it, if somebody does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Everything in a place has been told to end.
    Stopped {
        /// The place.
        at: String,
    },
    /// The run has an output.
    RunSucceeded {
        /// The output.
        output: Arc<Value>,
    },
    /// The run has failed.
    RunFailed {
        /// Why.
        error: Failure,
    },
    /// The run was stopped.
    RunCancelled {
        /// Why, in the words of who stopped it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Who stopped it, if it had not begun. Else its stopping says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
