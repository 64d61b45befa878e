//! What changes of units of work, and of what workers can take, mean for the rows of a run.

use windlass_core::Time;
use windlass_core::run::{Effect, Event, Fact, Offer, RunState};

use super::pending::Pending;
use super::tokens::{self, Asked, task_id};
use crate::desk::Over;

/// What a unit was before an event: when its timer was due, and what pilots were asked.
type Before = (Option<Time>, Option<Asked>);

impl<T> Pending<T> {
    /// Whether a task has come up, has changed hands, or is gone.
    pub(super) fn note_offer(
        &mut self,
        state: &RunState,
        path: &str,
        was: Option<Offer>,
        fact: &Fact,
    ) {
        let is = state.offer(path);
        if is == was {
            return;
        }
        if is.is_some() {
            self.tasks_cleared.remove(path);
            self.tasks_set.insert(path.to_owned());
        } else {
            self.clear_task(state, path, over_by(fact));
        }
    }

    pub(super) fn clear_task(&mut self, state: &RunState, path: &str, how: Over) {
        self.tasks_set.remove(path);
        self.tasks_cleared.insert(path.to_owned(), (task_id(state, path), how));
    }

    /// What follows from a change of a unit: its row and those of the units it is a part of, its timer,
    /// what pilots are asked, what its role has learned.
    pub(super) fn note_unit(
        &mut self,
        project: &str,
        state: &RunState,
        (path, before): (&str, Option<Before>),
        event: &Event,
    ) {
        let Some(tokens) = state.tokens() else { return };
        let mut above = Some(path);
        while let Some(unit) = above.and_then(|path| tokens.unit(path)) {
            self.units.insert(above.unwrap_or_default().to_owned());
            above = unit.parent.as_deref();
        }
        let (was, asked) = before.unwrap_or_default();
        let is = tokens.unit(path).and_then(|unit| unit.until);
        match is {
            _ if was == is => {}
            Some(due) if state.pause().is_none() => {
                self.set_timer(path, due);
                self.effects.push(Effect::SetTimer { path: path.to_owned(), due });
            }
            _ => {
                self.timers_set.remove(path);
                self.timers_cleared.insert(path.to_owned());
            }
        }
        if let Fact::UnitChanged { change, .. } = &event.fact {
            let place = (path, asked.as_ref());
            let asked = tokens::interventions(project, state, place, change, event.at);
            self.interventions.extend(asked);
            self.learned.extend(tokens::learned(state, path, change, event.at));
        }
    }
}

/// How a task is over by an event, for whoever holds it.
fn over_by(fact: &Fact) -> Over {
    match fact {
        Fact::StepCancelled { .. } | Fact::StepMarked { .. } => Over::Cancelled,
        Fact::AttemptInterrupted { .. } | Fact::StepParked { .. } => Over::Lost,
        Fact::StepFailed { error, .. } | Fact::AttemptFailed { error, .. }
            if error.code == "timeout" =>
        {
            Over::TimedOut
        }
        Fact::UnitChanged { change, .. } => match change.because.as_str() {
            "lease_lost" => Over::Lost,
            "submitted" | "finalized" | "failed" | "no_route" => Over::Told,
            _ => Over::Cancelled,
        },
        _ => Over::Told,
    }
}
