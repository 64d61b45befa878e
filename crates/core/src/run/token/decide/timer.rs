//! Time is up for a unit.

use super::{Place, SYSTEM, TokenDecider, after, change};
use crate::run::event::{Fact, UnitChanged};
use crate::run::input::Refused;
use crate::run::token::UnitStatus;
use crate::template::RoleKind;

impl TokenDecider<'_> {
    pub(in crate::run) fn timer(&self, path: &str) -> Result<Vec<Fact>, Refused> {
        let place = self.at(path)?;
        let Some(until) = place.unit.until else {
            return Err(Refused::NotWaiting(path.to_owned()));
        };
        if until > self.now {
            return Err(Refused::TooEarly { path: path.to_owned(), until });
        }
        let changed = match place.unit.status {
            UnitStatus::Pending | UnitStatus::Failed | UnitStatus::Active => self.too_late(&place),
            UnitStatus::Completed if place.unit.is_released => self.too_late(&place),
            UnitStatus::Completed => self.failed_at(&place, RoleKind::Tau, "set_timeout", SYSTEM),
            UnitStatus::PendingPilotApproval => UnitChanged {
                answered: Some("expired".to_owned()),
                ..self.stuck(&place, "unanswered", SYSTEM)
            },
            UnitStatus::ZombiedSoft => return Ok(self.try_again(&place)),
            UnitStatus::ZombiedDead => change("dead_letter", UnitStatus::Failed, SYSTEM),
            _ => return Err(Refused::NotWaiting(path.to_owned())),
        };
        Ok(vec![place.changed(changed)])
    }

    /// Nobody has taken it in time. Who keeps time is told; if they are late themselves, the pilots.
    fn too_late(&self, place: &Place<'_, '_>) -> UnitChanged {
        let chronos = place.queue_of(RoleKind::Tau);
        match place.unit.place.as_deref() {
            at if at == chronos => self.stuck(place, "stale", SYSTEM),
            _ => self.failed_at(place, RoleKind::Tau, "stale", SYSTEM),
        }
    }

    /// A stuck unit is let go on, as often as it may be.
    fn try_again(&self, place: &Place<'_, '_>) -> Vec<Fact> {
        let (settings, unit) = (&self.plan.settings, place.unit);
        let at = unit.place.as_deref().map(str::to_owned);
        let answered = unit.ask.is_some().then(|| "expired".to_owned());
        if unit.retries < settings.retries {
            let again = change("retried", UnitStatus::Active, SYSTEM);
            let retries = Some(unit.retries + 1);
            return self.let_go(place, UnitChanged { place: at, retries, answered, ..again });
        }
        let until = Some(after(self.now, settings.retry_after));
        let dead = change("retries_spent", UnitStatus::ZombiedDead, SYSTEM);
        vec![place.changed(UnitChanged { place: at, until, answered, ..dead })]
    }
}
