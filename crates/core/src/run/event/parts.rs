use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_default;
use crate::definition::Effect;
use crate::duration::HumanDuration;
use crate::expr::SecretSlot;
use crate::failure::Failure;
use crate::time::Time;

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
    pub(in crate::run) fn reason(&self) -> &str {
        match self {
            Cause::Failed(_) => "run_failed",
            Cause::Cancelled(_) => "run_cancelled",
            Cause::Around(reason) => reason,
        }
    }
}

/// Where an output that may be used again is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheUse {
    /// A hash of what it depends on.
    pub key: String,
    /// How long it may be used.
    pub ttl: HumanDuration,
}

/// An attempt that has asked for somebody's word, and how the next one goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// Which attempt has asked.
    pub attempt: u32,
    /// When it began.
    pub started_at: Time,
    /// What the answer is called among the step's records.
    pub key: String,
}

/// What somebody has decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// What.
    pub verdict: Verdict,
    /// What they have filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
    /// What they say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Yes.
    Approve,
    /// No.
    Reject,
}

impl Verdict {
    /// The word in the API and in outputs.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Approve => "approve",
            Verdict::Reject => "reject",
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
