use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::hold::Hold;
use crate::Error;

/// The code of an error that has none of its own.
pub(super) const WORKER_ERROR: &str = "worker_error";
/// The longest message of a failure.
const MESSAGE_BYTES_MAX: usize = 60 * 1024;

/// A task as a poll hands it over.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TaskBody {
    pub(crate) id: String,
    pub(crate) fence: u64,
    pub(crate) kind: String,
    pub(crate) queue: Option<String>,
    #[serde(default)]
    pub(crate) config: Value,
    pub(crate) project: Option<String>,
    pub(crate) run_id: String,
    pub(crate) step: String,
    #[serde(default = "one")]
    pub(crate) attempt: u32,
    pub(crate) idempotency_key: String,
    pub(crate) lease: Option<String>,
    pub(crate) timeout: Option<String>,
    pub(crate) deadline: Option<String>,
    pub(crate) checkpoint: Option<Value>,
    pub(crate) unit: Option<Value>,
}

fn one() -> u32 {
    1
}

/// Why a function is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nobody wants the task's end any more: `cancelled`, `timed_out`, `shutting_down` or
    /// `worker_lost`.
    Asked(String),
    /// Another worker has the task, or it is over.
    Lost,
    /// No heartbeat got through, and soon another worker may have the task.
    LeaseEnds,
    /// This worker ends. Another will do the task.
    Draining,
}

/// Where a log line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// What it has to say.
    Stdout,
    /// What went wrong.
    Stderr,
}

impl LogStream {
    fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        }
    }
}

/// A task in our hands: what is to be done, and ways to speak of it. Clones speak of the same one.
#[derive(Clone)]
pub struct Task {
    /// The task.
    pub id: String,
    /// The number of this handing over: it only grows.
    pub fence: u64,
    /// `unit`, `actor`, `worker`, or a plugin's kind.
    pub kind: String,
    /// Where it waited.
    pub queue: Option<String>,
    /// The step's config, with its secrets; null for a unit of work.
    pub config: Value,
    /// The run's project.
    pub project: Option<String>,
    /// The run.
    pub run_id: String,
    /// The step's address in the run.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The same for every attempt: hand it to whatever you ask to do something.
    pub idempotency_key: String,
    /// How long the attempt may take in all, such as `5m`.
    pub timeout: Option<String>,
    /// When that is over, RFC 3339.
    pub deadline: Option<String>,
    /// What whoever held the task before has left.
    pub last_checkpoint: Option<Value>,
    hold: Arc<Hold>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the config: secrets are in it.
        write!(f, "Task({} {}/{})", self.kind, self.run_id, self.step)
    }
}

impl Task {
    pub(super) fn new(body: &TaskBody, hold: Arc<Hold>) -> Task {
        let body = body.clone();
        Task {
            id: body.id,
            fence: body.fence,
            kind: body.kind,
            queue: body.queue,
            config: body.config,
            project: body.project,
            run_id: body.run_id,
            step: body.step,
            attempt: body.attempt,
            idempotency_key: body.idempotency_key,
            timeout: body.timeout,
            deadline: body.deadline,
            last_checkpoint: body.checkpoint,
            hold,
        }
    }

    /// Adds a line to the log of the step. It waits for nothing; lines that come faster than they can
    /// be sent are dropped, and that is said.
    pub fn log(&self, stream: LogStream, text: impl Into<String>) {
        self.hold.write(stream.as_str(), text.into());
    }

    /// Leaves something, JSON of 1 MiB at most, for whoever does the task if we cannot. It is kept when
    /// this returns.
    ///
    /// # Errors
    ///
    /// If the server refuses it or cannot be reached.
    pub async fn checkpoint(&self, value: Value) -> Result<(), Error> {
        self.hold.beat(json!({ "checkpoint": value })).await
    }

    /// Says how far it is.
    ///
    /// # Errors
    ///
    /// If the server refuses it or cannot be reached.
    pub async fn progress(&self, value: Value) -> Result<(), Error> {
        self.hold.beat(json!({ "progress": value })).await
    }

    /// Why to stop, if it is to.
    pub fn is_stopped(&self) -> Option<Stop> {
        self.hold.stopped()
    }

    /// Waits until it is to stop.
    pub async fn stopped(&self) -> Stop {
        self.hold.until_stopped().await
    }
}

/// Why a function has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Fail {
    /// A stable word for the step's `retry.on`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Whether another attempt makes sense.
    pub is_retryable: bool,
    /// What a program may want to know.
    pub details: Option<Value>,
}

impl Fail {
    /// An error after which another attempt makes sense.
    pub fn retry(code: impl Into<String>, message: impl Into<String>) -> Fail {
        let (code, message) = (code.into(), message.into());
        Fail { code, message, is_retryable: true, details: None }
    }

    /// An error that another attempt would only repeat.
    pub fn fatal(code: impl Into<String>, message: impl Into<String>) -> Fail {
        Fail { is_retryable: false, ..Fail::retry(code, message) }
    }

    pub(super) fn into_body(self) -> Value {
        let Fail { mut code, mut message, is_retryable, details } = self;
        if !is_code(&code) {
            // A failure that the server refuses would be told to nobody.
            (code, message) = (WORKER_ERROR.to_owned(), format!("{code}: {message}"));
        }
        shorten(&mut message, MESSAGE_BYTES_MAX);
        let mut body = json!({ "message": message, "code": code, "retryable": is_retryable });
        if let Some(details) = details {
            body["details"] = details;
        }
        body
    }
}

/// Cuts a text so that it has no more than so many bytes.
pub(super) fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
}

fn is_code(word: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    word.len() <= 64
        && word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.bytes().all(is_letter)
}

/// A unit that another one was broken down into.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Child {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub status: String,
    /// What is known of it.
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

/// A unit of work in our hands.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The task that it is.
    pub task: Task,
    /// Its id.
    pub id: String,
    /// Its instance.
    pub instance_id: String,
    /// In which of the instance's workflows it is.
    pub workflow: String,
    /// For which role it is done.
    pub role: String,
    /// At which interaction it waits.
    pub place: Option<String>,
    /// The unit that it is a part of.
    pub parent_id: Option<String>,
    /// What is known of it.
    pub attributes: Map<String, Value>,
    /// What the role remembers.
    pub context: Map<String, Value>,
    /// Its parts.
    pub children: Vec<Child>,
    /// What whoever does it is told.
    pub instructions: Option<String>,
    /// The unit as it came, with what this version knows nothing of.
    pub raw: Value,
}

#[derive(Deserialize)]
struct UnitBody {
    id: String,
    instance_id: String,
    workflow: String,
    role: String,
    place: Option<String>,
    parent_id: Option<String>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    context: Map<String, Value>,
    #[serde(default)]
    children: Vec<Child>,
    instructions: Option<String>,
}

impl Unit {
    pub(super) fn read(task: Task, raw: Value) -> Result<Unit, Fail> {
        let body: UnitBody = serde_json::from_value(raw.clone()).map_err(|error| {
            Fail::retry("bad_unit", format!("the unit makes no sense: {error}"))
        })?;
        Ok(Unit {
            task,
            id: body.id,
            instance_id: body.instance_id,
            workflow: body.workflow,
            role: body.role,
            place: body.place,
            parent_id: body.parent_id,
            attributes: body.attributes,
            context: body.context,
            children: body.children,
            instructions: body.instructions,
            raw,
        })
    }
}

/// What has come of a unit of work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Submit {
    /// Attributes to be added.
    pub attributes: Map<String, Value>,
    /// Why, for whoever reads the unit's life.
    pub reasoning: Option<String>,
    /// The attributes of units that this one is broken down into.
    pub children: Vec<Map<String, Value>>,
}

impl Submit {
    pub(super) fn into_body(self) -> Value {
        let mut body = json!({ "attributes": self.attributes });
        if let Some(reasoning) = self.reasoning {
            body["reasoning"] = Value::from(reasoning);
        }
        if !self.children.is_empty() {
            let children = self.children.into_iter();
            body["children"] = children.map(|child| json!({ "attributes": child })).collect();
        }
        body
    }
}
