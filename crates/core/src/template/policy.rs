//! An interaction policy: branches that say whether a unit goes through a component.
//!
//! `next_interaction` is kept but never followed: a policy chooses among the ways that are drawn,
//! and cannot make up one of its own.

use serde_json::Value;

use super::subject::{BranchError, Condition, Subject};
use crate::time::Time;

/// Branches, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// As they were written, `default` and `on_error` among them.
    pub branches: Vec<Branch>,
}

/// One branch.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// When it is taken.
    pub when: When,
    /// Where its author thinks it leads.
    pub next_interaction: Option<String>,
    /// A word for whoever watches. Left out, it is `proceed`, for `on_error` `escalate`.
    pub action: Option<String>,
    /// Anything, handed on with the decision; null if nothing.
    pub payload: Value,
}

/// When a branch is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// When a condition holds.
    Condition(Condition),
    /// When no condition held.
    Default,
    /// When no condition held, and one could not be answered.
    OnError,
}

/// What a policy says of one unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The branch that was taken, if one was.
    pub taken: Option<Taken>,
    /// Conditions that could not be answered on the way.
    pub errors: Vec<BranchError>,
}

/// A branch that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// Which branch, from 0.
    pub branch: usize,
    /// Its action, or the word that stands for none.
    pub action: String,
    /// Its payload; null if it has none.
    pub payload: Value,
}

impl Policy {
    /// Walks the branches: `default` and `on_error` are set aside, the first condition that holds
    /// wins. If none does, `on_error` is taken if one could not be answered, else `default`.
    pub fn route(&self, subject: &dyn Subject, now: Time) -> Route {
        let mut errors = Vec::new();
        for (index, branch) in self.branches.iter().enumerate() {
            let When::Condition(condition) = &branch.when else { continue };
            match condition.holds(subject, now) {
                Ok(true) => return Route { taken: Some(branch.taken(index, "proceed")), errors },
                Ok(false) => {}
                Err(error) => errors.push(BranchError::new(index, condition, &error)),
            }
        }
        let on_error = self.first(&When::OnError).filter(|_| !errors.is_empty());
        let taken = on_error.map(|(index, branch)| branch.taken(index, "escalate")).or_else(|| {
            Some(self.first(&When::Default)?).map(|(at, one)| one.taken(at, "proceed"))
        });
        Route { taken, errors }
    }

    /// Whether a branch depends on what the unit is like.
    pub fn is_conditional(&self) -> bool {
        self.branches.iter().any(|branch| {
            matches!(&branch.when, When::Condition(condition) if !condition.is_always_true())
        })
    }

    /// Whether every unit finds a branch, whatever it is like.
    pub fn takes_everything(&self) -> bool {
        self.branches.iter().any(|branch| match &branch.when {
            When::Condition(condition) => condition.is_always_true(),
            When::Default => true,
            When::OnError => false,
        })
    }

    fn first(&self, when: &When) -> Option<(usize, &Branch)> {
        self.branches.iter().enumerate().find(|(_, branch)| branch.when == *when)
    }
}

impl Branch {
    fn taken(&self, branch: usize, otherwise: &str) -> Taken {
        let action = self.action.clone().unwrap_or_else(|| otherwise.to_owned());
        Taken { branch, action, payload: self.payload.clone() }
    }
}
