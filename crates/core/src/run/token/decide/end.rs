//! Units that leave an actor's hands without being done.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Place, SYSTEM, TokenDecider, ZombiePolicy, change};
use crate::limits::LOSS_COUNT_DEFAULT;
use crate::run::event::{Fact, UnitChanged};
use crate::run::input::{AttemptError, Refused};
use crate::run::token::UnitStatus;
use crate::run::token::unit::Held;
use crate::template::RoleKind;

impl TokenDecider<'_> {
    /// An actor gives up.
    pub(super) fn fail(
        &self,
        place: &Place<'_, '_>,
        held: &Held,
        error: &AttemptError,
    ) -> Result<Vec<Fact>, Refused> {
        if let Some(breach) = place.breach() {
            return Ok(vec![breach]);
        }
        let by = held.holder.by.as_str();
        let failure = &error.failure;
        let note = json!({
            "error_code": failure.code, "details": failure.message,
            "timestamp": self.now.to_string(), "actor_id": by,
        });
        let attributes = BTreeMap::from([("_error".to_owned(), Arc::new(note))]);
        let kind = place.role_kind(&held.role).unwrap_or(RoleKind::Beta);
        let failed = UnitChanged {
            role: Some(held.role.to_string()),
            reasoning: Some(failure.message.clone()),
            ..self.downhill(place, kind, "failed", by)
        };
        let failed = self.or_park(self.with(place.unit, failed, attributes));
        Ok(vec![place.changed(failed)])
    }

    /// An actor gives a unit back as it was. That is not counted.
    pub(super) fn release(&self, place: &Place<'_, '_>, held: &Held) -> Vec<Fact> {
        let count = place.unit.interaction_count.saturating_sub(1);
        let back = self.as_before(place, held, "released", &held.holder.by);
        // Its time goes on where it stopped, or taking it for a moment would give it more.
        let left = held.until.map(|until| until.since(held.holder.since));
        let until = left.map(|left| self.now.plus(left));
        vec![place.changed(UnitChanged { interaction_count: Some(count), until, ..back })]
    }

    /// Nothing was heard of an actor any more.
    pub(super) fn lost(&self, place: &Place<'_, '_>, held: &Held) -> Vec<Fact> {
        let kind = place.role_kind(&held.role).unwrap_or(RoleKind::Beta);
        let is_beta = !matches!(kind, RoleKind::Omega | RoleKind::Epsilon | RoleKind::Tau);
        let lost = match self.plan.settings.zombie {
            ZombiePolicy::Failed if is_beta => {
                self.failed_at(place, RoleKind::Tau, "lease_lost", SYSTEM)
            }
            // Who takes it is lost, again and again.
            _ if place.unit.retries >= self.losses() => self.stuck(place, "lease_lost", SYSTEM),
            // A set, and what waits to be mended, wait on where they are.
            _ => self.as_before(place, held, "lease_lost", SYSTEM),
        };
        let by = &held.holder.by;
        let details = json!({ "actor_id": by, "since": held.holder.since.to_string() });
        vec![place.changed(UnitChanged {
            role: Some(held.role.to_string()),
            retries: Some(place.unit.retries + 1),
            details: Some(Box::new(details)),
            ..lost
        })]
    }

    /// How often a unit may be lost before it is stuck.
    fn losses(&self) -> u32 {
        match self.plan.settings.retries {
            0 => LOSS_COUNT_DEFAULT,
            retries => retries,
        }
    }

    /// It stands as it stood before it was taken.
    fn as_before(
        &self,
        place: &Place<'_, '_>,
        held: &Held,
        because: &str,
        by: &str,
    ) -> UnitChanged {
        let is_set = held.before == UnitStatus::Completed;
        let at = place.unit.place.as_deref();
        let until = at.and_then(|at| self.stale(place.template, at));
        UnitChanged {
            place: at.map(str::to_owned),
            is_released: is_set,
            until,
            ..change(because, held.before, by)
        }
    }
}
