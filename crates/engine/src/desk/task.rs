//! What passes between the desk and those who work.

use std::time::Duration;

use serde_json::Value;
use windlass_core::run::Refused;
use windlass_core::schema::Violation;

/// How long a task is a worker's own without a sign of life, unless the worker asks for another time.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(60);
/// The shortest lease that may be asked for.
pub const LEASE_MIN: Duration = Duration::from_secs(1);
/// The longest. Who needs more gives a sign of life.
pub const LEASE_MAX: Duration = Duration::from_secs(3_600);
/// Polls that may wait at once, in one project or of one plugin.
pub const POLL_COUNT_MAX: usize = 500;

/// Whose tasks a worker may take.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of one project.
    Project(String),
    /// Those of one plugin's kinds, in all projects: it is a child of the server.
    Plugin(String),
}

/// A queue that a worker takes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Its name.
    pub queue: String,
    /// The role in whose name, if it is one of units of work.
    pub role: Option<String>,
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Who it is. Of its own choice, and the same for as long as it holds tasks.
    pub worker: String,
    /// Where it takes from.
    pub wants: Vec<Want>,
    /// Tasks it takes at once, at most.
    pub max: usize,
    /// How long they are its own without a sign of life.
    pub lease: Duration,
}

/// The answer to a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Why the worker is to stop, if it is.
    pub cancel: Option<Over>,
    /// How long the task is its own from now on.
    pub lease: Duration,
}

/// How a task has ended for who held it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The worker has said what has come of it.
    Told,
    /// It is not wanted any more.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// Nothing was heard of the worker for too long.
    Lost,
}

impl Over {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Over::Told => "told",
            Over::Cancelled => "cancelled",
            Over::TimedOut => "timed_out",
            Over::Lost => "worker_lost",
        }
    }
}

/// What a holder says last of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
}

/// Why something said of a task does not count.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskRefused {
    /// There is no such task, or not any more.
    NotFound,
    /// Somebody else holds it, or it was handed over anew. With the fence that was shown.
    LeaseLost(Option<u64>),
    /// It is over.
    Over(Over),
    /// The output does not fit the schema of the kind. The attempt has failed by it.
    BadOutput(Vec<Violation>),
    /// More polls wait already than may.
    TooManyPolls,
    /// The limits of its queue let nothing be handed out now.
    Limited,
    /// What is said of it cannot be.
    Refused(Refused),
    /// Nothing was written. Later may be better.
    Unavailable(String),
    /// Nobody knows whether it was written.
    OutcomeUnknown(String),
}

/// What a worker says on the way, kept for as long as the lease.
pub(crate) type Progress = Option<Value>;
