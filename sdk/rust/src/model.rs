//! What the server answers with, as far as programs need it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A workflow.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Workflow {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its newest version, from 1.
    pub version: u32,
    /// Warnings that `check` has about the definition.
    #[serde(default)]
    pub findings: Vec<Value>,
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// `queued`, `running`, `waiting`, `paused`, `succeeded`, `failed` or `cancelled`.
    pub status: String,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The input.
    pub input: Value,
    /// The output, once it has succeeded.
    pub output: Option<Value>,
    /// The error, once it has failed.
    pub error: Option<Failure>,
    /// Searchable keys and values.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What the caller calls it.
    pub external_id: Option<String>,
}

impl Run {
    /// Whether it has ended, well or not.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "succeeded" | "failed" | "cancelled")
    }
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Failure {
    /// A stable word.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What a program may want to know.
    pub details: Option<Value>,
    /// The step that failed.
    pub step: Option<String>,
}

/// One node's life inside one run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Step {
    /// Its address in the run.
    pub path: String,
    /// The id of its node.
    pub node: String,
    /// The kind of its node.
    pub kind: String,
    /// How it stands.
    pub status: String,
    /// Why it stands there, in a word.
    pub reason: Option<String>,
    /// The current or last attempt; 0 before the first.
    pub attempt: u32,
    /// The node's rendered config, with secrets as they were written.
    pub input: Option<Value>,
    /// The output, once it has succeeded.
    pub output: Option<Value>,
    /// The error, once it or its last attempt has failed.
    pub error: Option<Failure>,
}

/// A line that a step has written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogLine {
    /// Its number among the run's lines, from 1.
    pub log_seq: u64,
    /// When it was written, RFC 3339.
    pub at: String,
    /// The step that wrote it.
    pub path: String,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// `stdout`, `stderr` or `system`.
    pub stream: String,
    /// The text.
    pub text: String,
}

/// What a step asks of people.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Approval {
    /// The run.
    pub run_id: String,
    /// The step's path.
    pub step: String,
    /// What is asked.
    pub title: String,
    /// What is approved.
    pub subject: Value,
    /// JSON Schema of what whoever approves fills in.
    pub form: Option<Value>,
    /// Hand it on with a decision, to decide about what was seen and nothing else.
    pub hash: String,
}

/// A part of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}
