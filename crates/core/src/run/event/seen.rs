//! What a program elsewhere says of a run of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::is_default;
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::run::StepStatus;
use crate::time::Time;

/// That a run is another program's, and what is made of its silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedTerms {
    /// After this long without a word the run counts as stalled, or as failed if a task has.
    pub stalled_after: HumanDuration,
    /// After this long without a word it counts as failed.
    pub given_up_after: HumanDuration,
}

/// A word about the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowSeen {
    /// When that was, in the words of whoever says so.
    pub at: Time,
    /// What has happened.
    pub what: FlowWord,
    /// How it has ended, if whoever says so knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<SeenEnd>,
    /// Why it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What has come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<Value>>,
    /// What it was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Arc<Value>>,
    /// More about it: an environment, a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Arc<Value>>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// Whether a task may fail without the run failing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tolerates: bool,
}

impl FlowSeen {
    /// Whether it says no more than that the run is there.
    pub fn is_bare(&self) -> bool {
        *self == FlowSeen { at: self.at, ..FlowSeen::default() }
    }
}

/// Which flow a run is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowName {
    /// The flow's key.
    pub workflow: String,
    /// What it is called by words that do not give its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Its id among the workflows.
    pub workflow_id: Uuid,
    /// The version of what is known of it.
    pub version: u32,
    /// The id of that.
    pub definition_id: Uuid,
}

/// What has happened to a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowWord {
    /// Nothing, but something is known of it.
    #[default]
    Noted,
    /// It has begun.
    Started,
    /// It is over.
    Ended,
}

/// A word about one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskSeen {
    /// When that was, in the words of whoever says so.
    pub at: Time,
    /// What has happened.
    pub what: TaskWord,
    /// Which attempt, from 1; 0 if nobody says.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attempt: u32,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<HumanDuration>,
    /// Why it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What has come of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<Value>>,
    /// What it is: its name, its priority, its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<Arc<Value>>,
    /// Whether what it is was only said again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restates: bool,
}

impl TaskSeen {
    /// Whether it says no more than that the task is there.
    pub fn is_bare(&self) -> bool {
        *self == TaskSeen { at: self.at, ..TaskSeen::default() }
    }
}

/// What has happened to a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskWord {
    /// Nothing, but something is known of it.
    #[default]
    Noted,
    /// An attempt has begun.
    Started,
    /// An attempt has failed, and the next one begins.
    Retried,
    /// It is over.
    Ended(SeenEnd),
}

/// How something has ended. The order decides between two ends of the same moment: the last wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenEnd {
    /// It was not necessary.
    Skipped,
    /// Somebody stopped it.
    Cancelled,
    /// It did not work.
    Failed,
    /// It did.
    #[default]
    Succeeded,
}

impl FlowSeen {
    /// The event's type, as in the API.
    pub fn name(&self) -> &'static str {
        match self.what {
            FlowWord::Noted => "flow_noted",
            FlowWord::Started => "flow_started",
            FlowWord::Ended => "flow_ended",
        }
    }
}

impl TaskSeen {
    /// The event's type, as in the API.
    pub fn name(&self) -> &'static str {
        match self.what {
            TaskWord::Noted => "task_noted",
            TaskWord::Started => "task_started",
            TaskWord::Retried => "task_retried",
            TaskWord::Ended(_) => "task_ended",
        }
    }
}

impl SeenEnd {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        self.of_step().as_str()
    }

    pub(in crate::run) fn of_step(self) -> StepStatus {
        match self {
            SeenEnd::Skipped => StepStatus::Skipped,
            SeenEnd::Cancelled => StepStatus::Cancelled,
            SeenEnd::Failed => StepStatus::Failed,
            SeenEnd::Succeeded => StepStatus::Succeeded,
        }
    }
}

/// What is made of a run's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inferred {
    /// It may go on. Nobody knows.
    Stalled,
    /// A task has failed, and nobody said that the run has.
    NoTerminalEvent,
    /// It was silent for too long.
    GivenUp,
}

impl Inferred {
    /// The reason of the run, in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Inferred::Stalled => "stalled",
            Inferred::NoTerminalEvent => "no_terminal_event",
            Inferred::GivenUp => "given_up",
        }
    }

    /// Whether the run counts as over.
    pub fn is_end(self) -> bool {
        self != Inferred::Stalled
    }
}
