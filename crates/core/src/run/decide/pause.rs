//! Pausing and resuming by hand. While a run is paused nothing follows from its state; what is under
//! way may end, and is remembered.

use super::Decider;
use crate::run::event::Fact;
use crate::run::input::Refused;

impl Decider<'_> {
    pub(super) fn pause(&self, by: &str, reason: &Option<String>) -> Result<Vec<Fact>, Refused> {
        if self.state.paused.is_some() {
            return Err(Refused::Paused);
        }
        Ok(vec![Fact::RunPaused { by: by.to_owned(), reason: reason.clone() }])
    }

    pub(super) fn resume(&self, by: &str, reason: &Option<String>) -> Result<Vec<Fact>, Refused> {
        if self.state.paused.is_none() {
            return Err(Refused::NotPaused);
        }
        Ok(vec![Fact::RunResumed { by: by.to_owned(), reason: reason.clone() }])
    }
}
