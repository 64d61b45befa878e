use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::is_default;
use super::seen::ObservedTerms;
use crate::definition::OnLimit;
use crate::failure::Failure;

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
    /// What its base unit of work is to be like, if actors drive it. Its attributes are the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Box<UnitTerms>>,
    /// That another program drives it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Box<ObservedTerms>>,
    /// How many triggers lie between it and a run that nobody's end has started.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trigger_depth: u32,
}

/// What a base unit of work is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitTerms {
    /// Why it has its attributes, in the words of whoever creates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// How often it may be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_interactions: Option<u32>,
    /// Units of different keys take turns.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fairness_key: String,
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
