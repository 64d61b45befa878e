//! What passes between the board and those who work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;
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

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Demand {
    /// Who it is. Of its own choice, and the same for as long as it holds tasks.
    pub worker: String,
    /// The kinds it does.
    pub kinds: Vec<String>,
    /// Tasks it takes at once, at most.
    pub max: usize,
    /// How long they are its own without a sign of life.
    pub lease: Duration,
}

/// What a worker shows when it says something of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who it is.
    pub worker: String,
    /// The number it was handed the task with.
    pub fence: u64,
}

/// A task in a worker's hands. Its config may hold secrets, so it is never shown whole.
#[derive(Clone)]
pub struct Handed {
    /// The task.
    pub id: Uuid,
    /// The number of this handing over. It only grows.
    pub fence: u64,
    /// What it belongs to.
    pub origin: Origin,
    /// What is to be done.
    pub config: Arc<Value>,
    /// How long it is the worker's own without a sign of life.
    pub lease: Duration,
    /// How long the attempt may take in all.
    pub timeout: Option<Duration>,
    /// What is left of that.
    pub time_left: Option<Duration>,
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("id", &self.id).field("fence", &self.fence).finish()
    }
}

/// The attempt that a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The kind.
    pub kind: Arc<str>,
    /// The project.
    pub project: Arc<str>,
    /// The run.
    pub run_id: Uuid,
    /// The step's address in the run.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
}

/// The answer to a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Why the worker is to stop, if it is.
    pub cancel: Option<Over>,
    /// How long the task is its own from now on.
    pub lease: Duration,
}

/// How a task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The worker has said what has come of it.
    Told,
    /// The step was cancelled.
    Cancelled,
    /// Its time was up.
    TimedOut,
    /// The server is going down.
    GoingDown,
    /// Too many workers have lost it.
    Lost,
}

impl Over {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Over::Told => "told",
            Over::Cancelled => "cancelled",
            Over::TimedOut => "timed_out",
            Over::GoingDown => "shutting_down",
            Over::Lost => "worker_lost",
        }
    }
}

/// Why something said of a task does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such task, or not any more.
    NotFound,
    /// Somebody else holds it, or it was handed over anew. With the fence that was shown.
    LeaseLost(u64),
    /// It is over.
    Over(Over),
    /// The output does not fit the schema of the kind. The attempt has failed by it.
    BadOutput(Vec<Violation>),
    /// More polls wait already than may.
    TooManyPolls,
}

/// Who holds a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The worker.
    pub worker: String,
    /// The number it was handed the task with.
    pub fence: u64,
    /// For how long it has had it.
    pub since: Duration,
    /// For how long it is its own still.
    pub lease: Duration,
}

/// What an attempt on the board waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskWait {
    /// The kind.
    pub kind: String,
    /// Who makes it. Nobody yet, if this is empty.
    pub held: Option<Held>,
    /// How many workers of the kind, which may take it, have asked for work of late.
    pub worker_count: usize,
    /// How often it was lost by who held it.
    pub lost_count: u32,
}

/// A worker, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerView {
    /// What it calls itself.
    pub name: String,
    /// The plugin it is the child of.
    pub plugin: Option<String>,
    /// The kinds it asked for last.
    pub kinds: Vec<String>,
    /// When it was last heard of.
    pub seen: Instant,
    /// Whether it waits for work at this moment.
    pub is_polling: bool,
    /// The tasks it holds, of those who look: id, attempt, and for how long still.
    pub tasks: Vec<(Uuid, Origin, Duration)>,
    /// How many those are in all.
    pub task_count: usize,
}
