//! Whether a run may begin, as far as other runs are concerned. Who may is decided outside.

use super::Decider;
use crate::run::event::Fact;
use crate::run::input::Refused;

impl Decider<'_> {
    /// The run begins with it, so that whether it has begun says whether it was admitted.
    pub(super) fn admit(&self) -> Result<Vec<Fact>, Refused> {
        if !self.state.awaits_admission() {
            return Err(Refused::NotHeld);
        }
        if self.state.paused.is_some() {
            return Err(Refused::Paused);
        }
        Ok(vec![Fact::RunAdmitted {}, self.start_run()])
    }
}
