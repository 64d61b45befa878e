//! What can happen to a run. Events are written to journals and read by every later version, so a
//! field may be added with a default, and nothing may be renamed or removed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::definition::{Effect, OnLimit};
use crate::expr::SecretSlot;
use crate::failure::Failure;
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

/// How a run came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunCreated {
    /// The run's own id.
    pub run_id: Uuid,
    /// The workflow's name at that time.
    pub workflow: String,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// Its version.
    pub version: u32,
    /// That version's definition.
    pub definition_id: Uuid,
    /// The input.
    pub input: Arc<Value>,
    /// Searchable keys and values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The run this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<Uuid>,
    /// What the caller calls the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The step that has asked for it, if it is a sub-run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What it shares with other runs, if not all of them may run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The higher, the sooner its turn comes among runs that wait for the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Whether it waits to be admitted before it begins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held: bool,
    /// Who has created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it takes over from the run it repeats, by node of its own graph.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reused: BTreeMap<String, Reused>,
}

/// How a node has ended in another run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reused {
    /// Its output, if it has succeeded.
    pub output: Arc<Value>,
    /// Why it has failed, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The nodes to which its edges were taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
}

/// The step of another run that has asked for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// That run.
    pub run_id: Uuid,
    /// The step.
    pub step: String,
    /// How many runs are above: 1 for the child of a run that has no parent.
    pub depth: u32,
    /// Whether the step waits for the end, and not only for the beginning.
    pub awaited: bool,
}

/// What a run shares with others: at most `limit` runs of a key may have begun and not be over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// The workflow's id and, if the definition names a key, that.
    pub key: String,
    /// How many.
    pub limit: u32,
    /// What happens to a run that finds the limit reached.
    pub on_limit: OnLimit,
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
        /// The place that has failed or was cancelled, if the step undoes another one: the run
        /// (empty) or a `try`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undoes: Option<String>,
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

/// Why a place is being stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Something in it has failed.
    Failed(Failure),
    /// Somebody wants it.
    Cancelled(Option<String>),
    /// A place around it is being stopped, for this reason: `run_failed` or `run_cancelled`.
    Around(String),
}

impl Cause {
    /// The reason of the steps that end because of it.
    pub(super) fn reason(&self) -> &str {
        match self {
            Cause::Failed(_) => "run_failed",
            Cause::Cancelled(_) => "run_cancelled",
            Cause::Around(reason) => reason,
        }
    }
}

/// An attempt that undoes a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// The kind of node that does it.
    pub kind: String,
    /// Its config, rendered, with secrets as they were written.
    pub input: Arc<Value>,
    /// Where the secrets go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretSlot>,
    /// What repeating the attempt would do to the world.
    #[serde(default, skip_serializing_if = "is_default")]
    pub effect: Effect,
}

/// A node that is to run again, and what is known of its edges from nodes that are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Again {
    /// The node.
    pub node: String,
    /// Which visit comes next, from 1.
    pub visit: u32,
    /// How many of its edges are decided.
    #[serde(default, skip_serializing_if = "is_default")]
    pub known: u32,
    /// The nodes whose edges are taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
}

/// What became of an edge, and what that means for the node it leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeDecision {
    /// The node it leads to.
    pub to: String,
    /// Whether it is taken; else it is skipped.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub taken: bool,
    /// What happens to that node now.
    #[serde(default, skip_serializing_if = "is_default")]
    pub then: Then,
}

/// What happens to a node when an edge to it is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Its turn has come.
    #[default]
    Run,
    /// It will never run.
    Skip,
    /// Nothing yet, or nothing any more.
    Wait,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_yes(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Fact {
    /// The event's type, as in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Fact::RunCreated(_) => "run_created",
            Fact::RunStarted { .. } => "run_started",
            Fact::RunAdmitted {} => "run_admitted",
            Fact::RunPaused { .. } => "run_paused",
            Fact::RunResumed { .. } => "run_resumed",
            Fact::ChildRequested { .. } => "child_requested",
            Fact::StepQueued { .. } => "step_queued",
            Fact::AttemptStarted { .. } => "attempt_started",
            Fact::AttemptFailed { .. } => "attempt_failed",
            Fact::AttemptInterrupted { .. } => "attempt_interrupted",
            Fact::AttemptQueued { .. } => "attempt_queued",
            Fact::StepWaiting { .. } => "step_waiting",
            Fact::StepParked { .. } => "step_parked",
            Fact::StepSucceeded { .. } => "step_succeeded",
            Fact::StepFailed { .. } => "step_failed",
            Fact::StepSkipped { .. } => "step_skipped",
            Fact::StepCancelled { .. } => "step_cancelled",
            Fact::StepMarked { .. } => "step_marked",
            Fact::JumpedBack { .. } => "jumped_back",
            Fact::MapOpened { .. } => "map_opened",
            Fact::LoopOpened { .. } => "loop_opened",
            Fact::TryOpened { .. } => "try_opened",
            Fact::ItemsOpened { .. } => "items_opened",
            Fact::ItemSucceeded { .. } => "item_succeeded",
            Fact::ItemFailed { .. } => "item_failed",
            Fact::ItemCancelled { .. } => "item_cancelled",
            Fact::Stopping { .. } => "stopping",
            Fact::Stopped { .. } => "stopped",
            Fact::RunSucceeded { .. } => "run_succeeded",
            Fact::RunFailed { .. } => "run_failed",
            Fact::RunCancelled { .. } => "run_cancelled",
        }
    }

    /// The step it is about, if it is about one.
    pub fn step(&self) -> Option<&str> {
        match self {
            Fact::StepQueued { path, .. }
            | Fact::ChildRequested { path, .. }
            | Fact::AttemptStarted { path, .. }
            | Fact::AttemptFailed { path, .. }
            | Fact::AttemptInterrupted { path, .. }
            | Fact::AttemptQueued { path, .. }
            | Fact::StepWaiting { path, .. }
            | Fact::StepParked { path, .. }
            | Fact::StepSucceeded { path, .. }
            | Fact::StepFailed { path, .. }
            | Fact::StepSkipped { path, .. }
            | Fact::StepCancelled { path, .. }
            | Fact::StepMarked { path, .. }
            | Fact::MapOpened { path, .. }
            | Fact::LoopOpened { path, .. }
            | Fact::TryOpened { path, .. } => Some(path),
            _ => None,
        }
    }
}
