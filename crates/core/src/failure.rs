use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a step or a run failed, as data: it is written to the journal, read after a crash and by
/// later versions, matched by `retry.on`, and shown to people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word such as `timeout`, `exit_code` or `expression`.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// What a program may want to know, by code: an exit status, a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// The step that failed, on failures of a run or a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        Failure { code: code.into(), message: message.into(), details: None, step: None }
    }

    /// The same failure with `details`.
    pub fn with(mut self, details: Value) -> Failure {
        self.details = Some(details);
        self
    }

    /// The same failure, naming the step it came from unless it names one already.
    pub fn of_step(mut self, step: &str) -> Failure {
        self.step.get_or_insert_with(|| step.to_owned());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step {
            Some(step) => write!(f, "{step}: {} ({})", self.message, self.code),
            None => write!(f, "{} ({})", self.message, self.code),
        }
    }
}
