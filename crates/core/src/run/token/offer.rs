//! What a run offers to workers outside: units of work and steps.

use std::sync::Arc;

use uuid::Uuid;

use super::UnitStatus;
use super::offered_here;
use super::unit::Unit;
use crate::run::event::Holder;
use crate::run::{RunState, StepStatus};
use crate::template::Template;
use crate::time::Time;

/// Something that a worker outside can take, or has taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The unit, if it is one.
    pub unit_id: Option<Uuid>,
    /// The queue it stands in.
    pub queue: String,
    /// What it is: `unit`, or the kind of the step's node.
    pub kind: Arc<str>,
    /// What people call it.
    pub title: Option<String>,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Offers of different keys take turns.
    pub fairness_key: String,
    /// Since when it is offered.
    pub since: Time,
    /// Which attempt of a step it is; how often a unit was taken.
    pub attempt: u32,
    /// How often it was handed over.
    pub fence: u64,
    /// In whose hands it is, if it is in any.
    pub holder: Option<Holder>,
}

impl Unit {
    /// Whether an actor may take it: it waits at an interaction, and nobody has it.
    pub fn is_offered(&self, template: &Template) -> bool {
        self.stands_open() && self.place.as_deref().is_some_and(|at| offered_here(template, at))
    }

    pub(super) fn stands_open(&self) -> bool {
        let waits = match self.status {
            UnitStatus::Pending | UnitStatus::Failed => true,
            UnitStatus::Active => self.inside.is_none(),
            UnitStatus::Completed => self.is_released,
            _ => false,
        };
        waits && self.holder.is_none() && self.place.is_some()
    }
}

impl RunState {
    /// What is offered of a unit or a step, or is in a worker's hands.
    pub fn offer(&self, path: &str) -> Option<Offer> {
        if self.status.is_terminal() {
            return None;
        }
        match &self.tokens {
            Some(tokens) => self.offer_of_unit(tokens.units.get(path)?),
            None => self.offer_of_step(path),
        }
    }

    /// Whether a worker outside could take something of it.
    pub fn has_offers(&self) -> bool {
        self.tokens.as_ref().map_or(self.waits.task, |tokens| tokens.open) > 0
    }

    /// The paths of everything that may be offered.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        let units = self.tokens.iter().flat_map(|tokens| tokens.units.keys());
        let steps = self
            .active
            .iter()
            .filter(|path| self.steps.get(&***path).is_some_and(|step| step.task.is_some()));
        units.chain(steps).map(|path| &**path)
    }

    fn offer_of_unit(&self, unit: &Unit) -> Option<Offer> {
        let is_held = unit.holder.is_some();
        // Sets that nobody may take yet, and units on their way through a child workflow, are not
        // offered; whether a role takes units here at all is known to the template.
        if !is_held && !unit.stands_open() {
            return None;
        }
        let place = unit.place.as_deref()?;
        Some(Offer {
            unit_id: Some(unit.id),
            queue: format!("{}/{}/{place}", self.created.workflow_id, unit.workflow),
            kind: Arc::from("unit"),
            title: None,
            priority: unit.priority,
            fairness_key: unit.fairness_key.to_string(),
            since: unit.entered_at,
            attempt: unit.interaction_count,
            fence: unit.fence,
            holder: unit.holder.as_ref().map(|held| held.holder.clone()),
        })
    }

    fn offer_of_step(&self, path: &str) -> Option<Offer> {
        let step = self.steps.get(path)?;
        let task = step.task.as_deref()?;
        if !matches!(step.status, StepStatus::Queued | StepStatus::Running) {
            return None;
        }
        Some(Offer {
            unit_id: None,
            queue: task.terms.queue.clone(),
            kind: step.kind.clone(),
            title: task.terms.title.clone(),
            priority: task.terms.priority,
            fairness_key: task.terms.fairness_key.clone(),
            since: task.offered_at,
            attempt: step.attempt,
            fence: task.fence,
            holder: task.holder.clone(),
        })
    }
}
