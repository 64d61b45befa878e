//! Settling a step by hand.

use super::Decider;
use super::start::check_size;
use crate::kinds::Awaits;
use crate::run::event::Fact;
use crate::run::input::{Mark, Refused};

impl Decider<'_> {
    /// Takes somebody's word for how a step has ended: one whose outcome nobody knows, one that will
    /// not succeed however often it is tried, one that waits for nothing.
    pub(super) fn mark(
        &self,
        path: &str,
        mark: &Mark,
        by: &str,
        reason: &Option<String>,
    ) -> Result<Vec<Fact>, Refused> {
        let step = self.state.steps.get(path);
        let step = step.ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        if !self.state.active.contains(path) {
            return Err(Refused::NotInMidLife { path: path.to_owned(), status: step.status });
        }
        if step.ask().is_some_and(|ask| ask.awaits == Awaits::Approval) {
            return Err(Refused::NotByHand(path.to_owned()));
        }
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let mut facts = match mark {
            Mark::Succeeded(output) => {
                check_size(output, "output").map_err(Refused::BadOutput)?;
                let began = step.started_at;
                self.succeed(path, place, step.attempt, began, output.clone(), None)
            }
            Mark::Skipped => self.skip(path, "marked"),
        };
        let (path, by) = (path.to_owned(), by.to_owned());
        // Behind the end, so that the step says at last that it was marked.
        facts.insert(1, Fact::StepMarked { path, by, reason: reason.clone() });
        Ok(facts)
    }
}
