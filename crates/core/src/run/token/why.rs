//! Why a unit of work does not move, by the same questions that deciding asks.

use serde::Serialize;
use uuid::Uuid;

use super::decide::TokenDecider;
use super::{Unit, UnitStatus};
use crate::definition::Plan;
use crate::run::RunState;
use crate::time::Time;

/// Why a unit of work is where it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnitWhy {
    /// The unit, as the run calls it.
    pub path: String,
    /// Its id.
    pub id: Uuid,
    /// Where it stands.
    pub status: UnitStatus,
    /// The interaction it is at.
    pub place: Option<String>,
    /// What it waits for.
    #[serde(flatten)]
    pub because: UnitBecause,
}

/// What a unit of work waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum UnitBecause {
    /// An actor of one of these roles.
    Actor {
        /// The queue it stands in.
        queue: String,
        /// The roles that may take it.
        roles: Vec<String>,
    },
    /// Whoever has it.
    Holder {
        /// Who.
        by: String,
        /// In which role.
        role: String,
        /// Since when.
        since: Time,
    },
    /// The rest of its set.
    Set {
        /// Which head of CERBERUS holds it: `base`, `child`, `status`.
        head: &'static str,
        /// In words.
        message: String,
        /// Until when.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// That its parent gathers the set it belongs to.
    Parent {
        /// The parent.
        path: String,
    },
    /// A pilot's word.
    Pilot {
        /// What is asked.
        kind: String,
        /// What happens then without it.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Time>,
    },
    /// A child workflow.
    ChildWorkflow {
        /// The unit that it is there.
        path: String,
    },
    /// Nothing that is known: it goes on in a moment.
    Ready,
}

impl RunState {
    /// Why the units of a run that are not over do not move; one of them, if it is named.
    pub(in crate::run) fn why_units(&self, plan: &Plan, only: Option<&str>) -> Vec<UnitWhy> {
        let (Some(tokens), Some(plan)) = (self.tokens.as_deref(), plan.tokens.as_deref()) else {
            return Vec::new();
        };
        let decider = TokenDecider { state: self, tokens, plan, now: self.created_at };
        let asked = |path: &&std::sync::Arc<str>| only.is_none_or(|only| only == &***path);
        let mut open: Vec<(&std::sync::Arc<str>, &Unit)> =
            tokens.units.iter().filter(|(path, unit)| !unit.is_over() && asked(path)).collect();
        open.sort_by_key(|(_, unit)| unit.ordinal);
        open.into_iter()
            .map(|(path, unit)| UnitWhy {
                path: path.to_string(),
                id: unit.id,
                status: unit.status,
                place: unit.place.as_deref().map(str::to_owned),
                because: decider.because(path, unit),
            })
            .collect()
    }
}

impl TokenDecider<'_> {
    fn because(&self, path: &str, unit: &Unit) -> UnitBecause {
        if let Some(held) = unit.holder.as_deref() {
            return UnitBecause::Holder {
                by: held.holder.by.clone(),
                role: held.role.to_string(),
                since: held.holder.since,
            };
        }
        if let Some(inside) = unit.inside.as_deref() {
            return UnitBecause::ChildWorkflow { path: inside.to_owned() };
        }
        if let Some(ask) = unit.ask.as_deref() {
            return UnitBecause::Pilot { kind: ask.kind.to_string(), until: unit.until };
        }
        if unit.status == UnitStatus::ZombiedDead {
            return UnitBecause::Pilot { kind: "cancel".to_owned(), until: unit.until };
        }
        if unit.status == UnitStatus::Completed && !unit.is_released {
            if let Some(parent) = unit.parent.as_deref() {
                return UnitBecause::Parent { path: parent.to_owned() };
            }
            if let Some((head, message)) = self.head_of(path) {
                return UnitBecause::Set { head, message, until: unit.until };
            }
            return UnitBecause::Ready;
        }
        match self.state.offer(path) {
            Some(offer) => {
                let roles = self.takers(unit);
                UnitBecause::Actor { queue: offer.queue, roles }
            }
            None => UnitBecause::Ready,
        }
    }
}
