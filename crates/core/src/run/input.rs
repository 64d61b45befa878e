use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use super::event::{Decision, FlowName, FlowSeen, Holder, TaskSeen};
use super::token::UnitStatus;
use super::{RunStatus, StepStatus};
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::schema::Violation;
use crate::time::Time;

/// Something a run has to take a stand on, with the time and the chance that the core does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The time.
    pub now: Time,
    /// A number drawn from 0 up to 1, for jitter.
    pub dice: f64,
    /// What it is about.
    pub what: What,
}

/// What an input is about.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Nothing in particular: take the next step that follows from the state.
    Advance,
    /// An attempt has begun.
    AttemptStarted {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt has ended.
    AttemptEnded {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// When it began.
        started_at: Time,
        /// The output, or why there is none.
        result: Result<Arc<Value>, AttemptError>,
    },
    /// An attempt was lost with the process that made it.
    AttemptLost {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
    },
    /// An attempt need not be made: there is an earlier output that may be used again.
    AttemptCached {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// The run that made it.
        run_id: Uuid,
        /// The output.
        output: Arc<Value>,
    },
    /// An attempt has ended because somebody has to decide something first.
    AttemptAsks {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// When it began.
        started_at: Time,
        /// What the answer is to be called among the step's records.
        key: String,
        /// What is asked: the config of an `approval`.
        ask: Arc<Value>,
    },
    /// An attempt notes how far it has come.
    AttemptRecorded {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
        /// What it calls the note.
        key: String,
        /// The note.
        value: Arc<Value>,
    },
    /// A worker outside says something of a unit of work or a step.
    Task {
        /// The unit or step.
        path: String,
        /// What.
        act: TaskAct,
    },
    /// A pilot does something with a unit of work.
    Pilot {
        /// The unit; empty for all that somebody works on.
        path: String,
        /// Who.
        by: String,
        /// What.
        act: PilotAct,
    },
    /// The program that drives the run elsewhere says something.
    Seen(Seen),
    /// Somebody decides about what a step asks.
    Vote {
        /// The step.
        path: String,
        /// What they say.
        vote: Vote,
    },
    /// The run is sent a signal.
    Signal {
        /// Its name.
        name: String,
        /// What comes with it.
        payload: Arc<Value>,
        /// Who sends it.
        by: String,
        /// What its sender calls it. A second one of the same id is refused.
        id: Option<String>,
    },
    /// An event from outside may be the one that a step waits for.
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
    /// The time a step waits for has come.
    TimerFired {
        /// The step.
        path: String,
    },
    /// The run may begin, as far as others are concerned.
    Admit,
    /// The run that a step has asked for has begun.
    ChildStarted {
        /// The step.
        path: String,
        /// That run.
        child: Uuid,
    },
    /// The run that a step has asked for is over, or cannot be.
    ChildEnded {
        /// The step.
        path: String,
        /// That run.
        child: Uuid,
        /// Its output, or why there is none.
        result: Result<Arc<Value>, Failure>,
    },
    /// Somebody wants nothing further to begin for now.
    Pause {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Somebody wants a paused run to go on.
    Resume {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Somebody wants the run to stop. What it has begun it cleans up and undoes.
    Cancel {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Somebody wants the run to stop at once, with nothing cleaned up or undone.
    Terminate {
        /// Who.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Somebody settles a step by hand.
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
    /// The run has crossed a limit.
    Abort {
        /// Which.
        error: Failure,
    },
}

/// What the program that drives a run elsewhere says.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Of the run as a whole.
    Flow(Box<FlowSeen>),
    /// Of a task.
    Task {
        /// The task.
        path: String,
        /// What.
        seen: Box<TaskSeen>,
    },
    /// Lines with these ids were logged.
    Lines(Vec<u64>),
    /// Which flow the run is of.
    Named(Box<FlowName>),
}

impl Seen {
    /// That a task, or the run itself if the path is empty, was spoken of.
    pub fn noted(path: &str, at: Time) -> Seen {
        if path.is_empty() {
            return Seen::Flow(Box::new(FlowSeen { at, ..FlowSeen::default() }));
        }
        let seen = Box::new(TaskSeen { at, ..TaskSeen::default() });
        Seen::Task { path: path.to_owned(), seen }
    }
}

/// What a worker outside says of a unit of work or a step.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskAct {
    /// They take it.
    Claim {
        /// Who.
        by: String,
        /// In which role, if it is a unit of work.
        role: Option<String>,
        /// For how long, without a sign of life.
        lease: HumanDuration,
    },
    /// They are done with it.
    Complete {
        /// That it is theirs.
        hold: Hold,
        /// What has come of it.
        outcome: Outcome,
    },
    /// They could not do it.
    Fail {
        /// That it is theirs.
        hold: Hold,
        /// Why.
        error: AttemptError,
    },
    /// They give it back undone.
    Release {
        /// That it is theirs.
        hold: Hold,
    },
    /// They note how far they have come.
    Checkpoint {
        /// That it is theirs.
        hold: Hold,
        /// How far, in a form that another worker can go on from.
        value: Arc<Value>,
    },
    /// Nothing was heard of whoever has it in the time of their lease.
    Lost {
        /// Which handing over it was.
        fence: u64,
    },
}

/// What shows that something is in somebody's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who.
    pub by: String,
    /// Which handing over it was. Left out, the latest.
    pub fence: Option<u64>,
}

impl Hold {
    /// Whether it is theirs.
    pub fn fits(&self, holder: &Holder) -> bool {
        holder.by == self.by && self.fence.is_none_or(|fence| fence == holder.fence)
    }
}

/// What has come of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Of a step: its output.
    Output(Arc<Value>),
    /// Of a unit of work.
    Unit(Box<UnitDone>),
}

/// What an actor has made of a unit of work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UnitDone {
    /// Its attributes, those that have not changed left out or not.
    pub attributes: BTreeMap<String, Value>,
    /// Why, in their words.
    pub reasoning: Option<String>,
    /// What it is split into: the ids and attributes of its parts.
    pub children: Vec<(Uuid, BTreeMap<String, Value>)>,
}

/// What a pilot does with a unit of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PilotAct {
    /// Stops everybody's work.
    Kill {
        /// Why.
        reason: String,
    },
    /// Explains what was not clear.
    Clarify {
        /// In their words.
        text: String,
    },
    /// Lets it pass a guardian.
    Waive {
        /// The guardian.
        rule: String,
        /// Why.
        reason: String,
    },
    /// Lets it go on.
    Resume,
    /// The same, and says why.
    Approve {
        /// Why.
        reason: String,
    },
    /// Says no.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Puts away what is stuck for good.
    Archive {
        /// Why.
        reason: String,
    },
}

/// What somebody says about what a step asks, and who they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// What they say.
    pub decision: Decision,
    /// Their roles.
    pub roles: Vec<String>,
    /// The hash of what they have seen. Left out, whatever is asked.
    pub hash: Option<String>,
}

/// What somebody says of a step that is in mid-life.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// It has succeeded, with this output.
    Succeeded(Arc<Value>),
    /// It is not needed.
    Skipped,
}

/// Why an attempt has no output, and whether another one makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptError {
    /// Why.
    pub failure: Failure,
    /// Whether the kind itself calls it final: then `retry` is not asked.
    pub is_final: bool,
    /// How long the other side wants to be left alone. The next attempt, if there is one, comes no
    /// earlier; at most [`RETRY_AFTER_MAX`](crate::limits::RETRY_AFTER_MAX) is believed.
    pub retry_after: Option<Duration>,
}

impl AttemptError {
    /// An error of which nobody has said how long to wait.
    pub fn new(failure: Failure, is_final: bool) -> AttemptError {
        AttemptError { failure, is_final, retry_after: None }
    }
}

/// Why an input changes nothing. No event follows and nothing is written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Actors drive it: there is no graph to walk through.
    #[error("a template is no graph: make an instance of it, and give that units of work")]
    NotAGraph,
    /// Another program drives it.
    #[error("the run is another program's, and is only watched here")]
    OnlyWatched,
    /// It is no run of another program.
    #[error("the run is no other program's: nothing said of it from outside counts")]
    NotWatched,
    /// The run has as many tasks as a run can have.
    #[error("the run has too many tasks")]
    TooManyTasks,
    /// The run has as many events as a run can have.
    #[error("the run has too many events")]
    HistoryFull,
    /// It is not in the hands of whoever says so.
    #[error("`{0}` is not in the hands of whoever says so, or not any more")]
    NotHolder(String),
    /// A unit of work stands where nothing of that kind can be done with it.
    #[error("the unit of work is {status}")]
    UnitStands {
        /// The unit.
        path: String,
        /// Where it stands.
        status: UnitStatus,
    },
    /// The step cannot be taken: somebody has it, or it is not offered.
    #[error("`{0}` is not offered")]
    NotOffered(String),
    /// What is said of a unit of work cannot be.
    #[error("{}", .0.message)]
    BadUnit(Failure),
    /// The run is over.
    #[error("the run is already {0}")]
    Finished(RunStatus),
    /// There is no such step.
    #[error("there is no step `{0}`")]
    NoSuchStep(String),
    /// The attempt is not the one under way: it came late, or twice.
    #[error("attempt {attempt} of `{path}` is not under way")]
    Stale {
        /// The step.
        path: String,
        /// The attempt that was meant.
        attempt: u32,
    },
    /// The step has not begun, is over, or is a block.
    #[error("`{path}` is {status}; only a step in mid-life that is no block can be marked")]
    NotInMidLife {
        /// The step.
        path: String,
        /// Where it stands.
        status: StepStatus,
    },
    /// An approval is decided by those who may, and by nobody else.
    #[error("`{0}` waits for an approval, which cannot be marked as done; decide it instead")]
    NotByHand(String),
    /// The step does not wait for such a word.
    #[error("`{0}` does not wait for that")]
    NotAsked(String),
    /// What is asked is not what was seen.
    #[error("what `{0}` asks is not what the decision is about; look at it again")]
    OtherSubject(String),
    /// Somebody decides who may not.
    #[error("`{0}` may not decide this")]
    NotApprover(String),
    /// Somebody decides twice.
    #[error("`{0}` has decided already")]
    DecidedAlready(String),
    /// There is no form to fill in.
    #[error("there is no form to fill in")]
    NoForm,
    /// The form is not filled in as it should be.
    #[error("the form is not filled in as its schema says")]
    BadForm(Vec<Violation>),
    /// The run has had this very signal before.
    #[error("the signal `{0}` was received before")]
    SignalKnown(String),
    /// The run takes no more signals.
    #[error("the run takes no more signals: too many were sent, or too many wait to be taken")]
    TooManySignals,
    /// What is said of a step cannot be kept.
    #[error("{}", .0.message)]
    BadOutput(Failure),
    /// The step does not wait for a time.
    #[error("`{0}` does not wait for a time")]
    NotWaiting(String),
    /// The time has not come.
    #[error("`{path}` waits until {until}")]
    TooEarly {
        /// The step.
        path: String,
        /// Until when.
        until: Time,
    },
    /// The run goes on, so nothing of it is settled enough to be taken over.
    #[error("the run is {0}; what it has done can be reused once it is over")]
    NotOver(RunStatus),
    /// What would be taken over from another run is too large.
    #[error("what would be reused has {size} bytes, but may have at most {max}")]
    TooMuchToReuse {
        /// Its size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// The run is paused: nothing goes on before it is resumed.
    #[error("the run is paused")]
    Paused,
    /// The run is not paused.
    #[error("the run is not paused")]
    NotPaused,
    /// The run has begun, or need not be admitted.
    #[error("the run does not wait to be admitted")]
    NotHeld,
    /// The key of the definition's `concurrency` has no value for this run.
    #[error("the concurrency key: {}", .0.message)]
    BadConcurrencyKey(Failure),
    /// The run is being cancelled already.
    #[error("the run is being cancelled already")]
    AlreadyStopping,
    /// The input does not fit the definition's schema.
    #[error("the input does not fit the workflow's schema")]
    BadInput(Vec<Violation>),
    /// The input is too large.
    #[error("the input has {size} bytes, but may have at most {max}")]
    InputTooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// The input nests too deep.
    #[error("the input nests deeper than {max}")]
    InputTooDeep {
        /// The limit.
        max: usize,
    },
}
