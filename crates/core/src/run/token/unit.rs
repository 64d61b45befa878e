use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::UnitStatus;
use crate::run::event::Holder;
use crate::time::Time;

/// All units of a token run: its base, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    /// By path, `u0` being the base.
    pub(in crate::run) units: BTreeMap<Arc<str>, Unit>,
    /// Bases that have come to the last interaction and wait for their set.
    pub(in crate::run) waiting: BTreeSet<Arc<str>>,
    /// Units that have gone into a child workflow and were lost there.
    pub(in crate::run) lost: BTreeSet<Arc<str>>,
    /// Units with which something has to be done at a time.
    pub(in crate::run) timed: BTreeSet<Arc<str>>,
    /// How many units are in an actor's hands.
    pub(in crate::run) held: u32,
    /// How many units wait for an actor.
    pub(in crate::run) open: u32,
}

/// A unit of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// Its id. The base has that of the run.
    pub id: Uuid,
    /// Its place in the order in which the units of the run came up, from 0.
    pub ordinal: u32,
    /// The unit it is a part of, by path.
    pub parent: Option<Arc<str>>,
    /// Its parts, by path.
    pub children: Vec<Arc<str>>,
    /// How many of its parts have come to the end, with all of theirs.
    pub finished_children: u32,
    /// The unit that entered the child workflow as this one, by path.
    pub gateway_of: Option<Arc<str>>,
    /// The unit that it is in a child workflow, by path.
    pub inside: Option<Arc<str>>,
    /// The workflow of the instance that it is in.
    pub workflow: Arc<str>,
    /// The interaction at which it is.
    pub place: Option<Arc<str>>,
    /// Where it stands.
    pub status: UnitStatus,
    /// Why, in a word.
    pub reason: Option<Arc<str>>,
    /// The current version of each attribute.
    pub attributes: BTreeMap<Arc<str>, Attribute>,
    /// The hash of their values.
    pub hash: Arc<str>,
    /// How often it was taken.
    pub interaction_count: u32,
    /// How often it may be.
    pub max_interactions: Option<u32>,
    /// How often it was let go on after it was stuck or lost.
    pub retries: u32,
    /// How often it was handed over. It only grows.
    pub fence: u64,
    /// In whose hands it is.
    pub holder: Option<Box<Held>>,
    /// The role that holds it, or held it last.
    pub role: Option<Arc<str>>,
    /// When it came up.
    pub created_at: Time,
    /// Since when it is where it is.
    pub entered_at: Time,
    /// When it last changed.
    pub changed_at: Time,
    /// When something has to be done with it, if nobody does anything.
    pub until: Option<Time>,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Units of different keys take turns.
    pub fairness_key: Arc<str>,
    /// What an actor made of it, while that waits for a pilot's word.
    pub parked: Option<Box<Parked>>,
    /// What guardians add to what its next actor is told.
    pub injected: Injected,
    /// Guardians that a pilot has waived for it.
    pub waived: BTreeSet<String>,
    /// Where it was when a guardian refused it.
    pub rejected_at: Option<Arc<str>>,
    /// Whether all of its set have come, so that it may be taken by the last role.
    pub is_released: bool,
    /// How many questions to pilots it has asked.
    pub asks: u32,
    /// The question to a pilot that is open.
    pub ask: Option<Box<PilotAsk>>,
    /// What its last holder has noted of how far it came.
    pub checkpoint: Option<Arc<Value>>,
}

/// The current version of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// The value.
    pub value: Arc<Value>,
    /// Which version, from 1.
    pub version: u32,
    /// Who wrote it.
    pub by: Arc<str>,
    /// Why, in their words.
    pub reasoning: Option<Arc<str>>,
    /// When.
    pub at: Time,
}

/// A unit in an actor's hands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Whose.
    pub holder: Holder,
    /// In which role.
    pub role: Arc<str>,
    /// Where the unit stood before, and stands again if it is given back.
    pub before: UnitStatus,
    /// Until when it had to be taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// What an actor made of a unit, until a pilot has spoken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// The status it would have.
    pub status: UnitStatus,
    /// Where it would be.
    pub place: Option<Arc<str>>,
    /// Why, in a word.
    pub reason: Arc<str>,
    /// Whether the pilot has said yes.
    pub is_approved: bool,
}

/// What guardians add to what an actor is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Injected {
    /// The model that is to be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// What is to be observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// What is to be known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fragments: Vec<Value>,
    /// Which rule of which guardian has done what: the newest 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<Value>,
}

/// A question to pilots.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PilotAsk {
    /// Which of the unit's, from 1.
    pub number: u32,
    /// What is asked: `resume`, `clarification`, `kill_switch`.
    pub kind: Arc<str>,
    /// Since when.
    pub since: Time,
}

impl Unit {
    /// A unit of which nothing is known but its id.
    pub(in crate::run) fn blank(id: Uuid, now: Time) -> Unit {
        Unit {
            id,
            ordinal: 0,
            parent: None,
            children: Vec::new(),
            finished_children: 0,
            gateway_of: None,
            inside: None,
            workflow: Arc::from(""),
            place: None,
            status: UnitStatus::Pending,
            reason: None,
            attributes: BTreeMap::new(),
            hash: Arc::from(""),
            interaction_count: 0,
            max_interactions: None,
            retries: 0,
            fence: 0,
            holder: None,
            role: None,
            created_at: now,
            entered_at: now,
            changed_at: now,
            until: None,
            priority: 0,
            fairness_key: Arc::from(""),
            parked: None,
            injected: Injected::default(),
            waived: BTreeSet::new(),
            rejected_at: None,
            is_released: false,
            asks: 0,
            ask: None,
            checkpoint: None,
        }
    }

    /// Whether nothing follows any more.
    pub fn is_over(&self) -> bool {
        self.status.is_final() || self.status == UnitStatus::Failed && self.place.is_none()
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Value>> {
        self.attributes.get(name).map(|one| &one.value)
    }

    /// The largest version of its attributes.
    pub fn version(&self) -> u32 {
        self.attributes.values().map(|one| one.version).max().unwrap_or(0)
    }

    /// What becomes of its open question, if there is one, when nothing is asked any more.
    pub(in crate::run) fn expired(&self) -> Option<String> {
        self.ask.is_some().then(|| "expired".to_owned())
    }

    /// Whether it has come to the end with all its parts.
    pub(in crate::run) fn is_whole(&self) -> bool {
        matches!(self.status, UnitStatus::Completed | UnitStatus::Finalized | UnitStatus::Archived)
            && self.finished_children as usize == self.children.len()
    }
}

impl Tokens {
    /// The unit at a path.
    pub fn unit(&self, path: &str) -> Option<&Unit> {
        self.units.get(path)
    }

    /// When something has to be done with which unit, by path.
    pub(in crate::run) fn times(&self) -> impl Iterator<Item = (&str, Time)> {
        self.timed.iter().filter_map(|path| Some((&**path, self.units.get(path)?.until?)))
    }

    /// All units with their paths, in the order of the paths.
    pub fn units(&self) -> impl Iterator<Item = (&str, &Unit)> {
        self.units.iter().map(|(path, unit)| (&**path, unit))
    }

    /// The path of a unit.
    pub fn path_of(&self, id: Uuid) -> Option<&str> {
        self.units.iter().find(|(_, unit)| unit.id == id).map(|(path, _)| &**path)
    }
}
