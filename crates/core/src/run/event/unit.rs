//! What happens to units of work, and to whatever else is handed to workers outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::is_default;
use crate::duration::HumanDuration;
use crate::run::token::{Injected, UnitStatus};
use crate::time::Time;

/// How a step is offered to workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskTerms {
    /// The queue it stands in.
    pub queue: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The higher, the sooner its turn comes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Tasks of different keys take turns.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fairness_key: String,
    /// How long an attempt may take, time without a worker included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HumanDuration>,
}

/// In whose hands something is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// Whose.
    pub by: String,
    /// How often it was handed over, this time included.
    pub fence: u64,
    /// Since when.
    pub since: Time,
    /// For how long it is theirs without a sign of life.
    pub lease: HumanDuration,
}

/// A unit of work that has come up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitCreated {
    /// Its id.
    pub id: Uuid,
    /// The unit it is a part of, by path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The unit that enters a child workflow as this one, by path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_of: Option<String>,
    /// The workflow of the instance that it is in.
    pub workflow: String,
    /// The interaction at which it is.
    pub place: String,
    /// Where it stands.
    pub status: UnitStatus,
    /// Its attributes, version 1 of each.
    pub attributes: BTreeMap<String, Arc<Value>>,
    /// The hash of their values.
    pub hash: String,
    /// Who has created it.
    pub by: String,
    /// Why it has these attributes, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// How often it may be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_interactions: Option<u32>,
    /// The higher, the sooner its turn comes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// Units of different keys take turns.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fairness_key: String,
    /// When something has to be done with it, if nobody does anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// A change of where a unit of work stands, and what comes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitChanged {
    /// What has happened, in a word: `claimed`, `submitted`, `rejected`, `lease_lost`, …
    pub because: String,
    /// Where it stands now.
    pub status: UnitStatus,
    /// Where it is now, by interaction; nowhere if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why it stands there, in a word, if that is not what has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whose doing it is.
    pub by: String,
    /// The role in which they did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Attributes with a new version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Arc<Value>>,
    /// The hash of all attributes, if one has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// In whose hands it is now; in nobody's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Box<Holder>>,
    /// When something has to be done with it, if nobody does anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// How it is counted: how often it was taken, and let go on, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction_count: Option<u32>,
    /// Likewise, how often it was let go on after it was stuck.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// What waits for a pilot's word: the status and place it would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Box<ParkedFor>>,
    /// What guardians add for whoever holds it, with a note of each rule that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub injected: Option<Box<Injected>>,
    /// A guardian that is waived from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// Which question is put to pilots, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<String>,
    /// What has become of the question that was open, if one was: `approved`, `rejected`, `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// Whether all of its set have come.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_released: bool,
    /// More of what has happened, for whoever reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    /// What the role has learned, if the holder says so: a key and a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Box<(String, Value)>>,
}

/// Where a unit goes once a pilot has said yes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParkedFor {
    /// The status.
    pub status: UnitStatus,
    /// The interaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why, in a word.
    pub reason: String,
    /// Whether the pilot has said yes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_approved: bool,
}

/// Something to know of a unit of work that changes nothing of where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitNoted {
    /// What: `guard_pass`, `guard_fail`, `context_injection`, `held`, `checkpoint`, `policy_error`, …
    pub what: String,
    /// Whose doing it is.
    pub by: String,
    /// More of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
    /// How far its holder has come, in a form that its next holder can go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Arc<Value>>,
}
