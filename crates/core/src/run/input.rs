use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{RunStatus, StepStatus};
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
}

/// Why an input changes nothing. No event follows and nothing is written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
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
