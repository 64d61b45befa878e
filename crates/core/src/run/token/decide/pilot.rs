//! What pilots do with units: people who see to it that none is stuck.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Place, TokenDecider, after, change};
use crate::run::event::{Fact, UnitChanged};
use crate::run::input::{PilotAct, Refused};
use crate::run::token::UnitStatus;
use crate::template::RoleKind;

impl TokenDecider<'_> {
    /// Every unit that somebody works on is stopped.
    pub(in crate::run) fn kill(&self, by: &str, reason: &str) -> Vec<Fact> {
        let active = self
            .tokens
            .units
            .iter()
            .filter(|(_, unit)| unit.status == UnitStatus::Active && unit.inside.is_none());
        active
            .filter_map(|(path, unit)| {
                let place = self.at(path).ok()?;
                Some(place.changed(UnitChanged {
                    place: unit.place.as_deref().map(str::to_owned),
                    reasoning: Some(reason.to_owned()),
                    asks: Some("kill_switch".to_owned()),
                    ..change("kill_switch", UnitStatus::Paused, by)
                }))
            })
            .collect()
    }

    pub(in crate::run) fn pilot(
        &self,
        path: &str,
        by: &str,
        act: &PilotAct,
    ) -> Result<Vec<Fact>, Refused> {
        if let PilotAct::Approve { reason } = act {
            let mut facts = self.pilot(path, by, &PilotAct::Resume)?;
            // The pilot's word comes first, then what follows from it.
            if let Some(Fact::UnitChanged { change, .. }) = facts.first_mut() {
                change.reasoning = Some(reason.clone());
            }
            return Ok(facts);
        }
        let place = self.at(path)?;
        let unit = place.unit;
        let stands = || Refused::UnitStands { path: place.path.to_owned(), status: unit.status };
        let approved = || unit.ask.is_some().then(|| "approved".to_owned());
        let rejected = || unit.ask.is_some().then(|| "rejected".to_owned());
        let here = || unit.place.as_deref().map(str::to_owned);
        let changed = match (act, unit.status) {
            (PilotAct::Clarify { text }, UnitStatus::ZombiedSoft) => {
                if let Some(breach) = place.breach() {
                    return Ok(vec![breach]);
                }
                let new = BTreeMap::from([(
                    "pilot_clarification".to_owned(),
                    Arc::new(text.as_str().into()),
                )]);
                let active = UnitChanged {
                    place: here(),
                    interaction_count: Some(0),
                    retries: (unit.retries > 0).then_some(0),
                    reasoning: Some(text.clone()),
                    answered: approved(),
                    ..change("clarified", UnitStatus::Active, by)
                };
                return Ok(self.let_go(&place, self.with(unit, active, new)));
            }
            (PilotAct::Waive { rule, reason }, status) => {
                let at = match status {
                    UnitStatus::Paused => here(),
                    UnitStatus::Completed if !unit.is_released && unit.parent.is_none() => here(),
                    UnitStatus::Failed if unit.rejected_at.is_some() => {
                        unit.rejected_at.as_deref().map(str::to_owned)
                    }
                    _ => return Err(stands()),
                };
                let guardians = place.template.components.iter().flat_map(|one| &one.guardians);
                if !guardians.map(|one| one.name.as_str()).any(|name| name == rule) {
                    let message = format!("the workflow has no guardian `{rule:.64}`");
                    return Err(super::submit::bad(message));
                }
                let details = json!({
                    "rule_ignored": rule, "waived_by": by, "justification": reason,
                });
                let waived = UnitChanged {
                    place: at,
                    waived: Some(rule.clone()),
                    reasoning: Some(reason.clone()),
                    details: Some(Box::new(details)),
                    answered: approved(),
                    ..change("waived", UnitStatus::Active, by)
                };
                return Ok(self.let_go(&place, waived));
            }
            (PilotAct::Resume, UnitStatus::Paused) => {
                let resumed = UnitChanged {
                    place: here(),
                    answered: approved(),
                    ..change("resumed", UnitStatus::Active, by)
                };
                return Ok(self.let_go(&place, resumed));
            }
            (PilotAct::Resume, UnitStatus::PendingPilotApproval) => {
                return Ok(self.go_through(&place, by));
            }
            (
                PilotAct::Cancel { reason },
                UnitStatus::PendingPilotApproval | UnitStatus::Paused,
            ) => UnitChanged {
                reasoning: Some(reason.clone()),
                answered: rejected(),
                ..self.failed_at(&place, RoleKind::Epsilon, "cancelled", by)
            },
            (PilotAct::Cancel { reason }, UnitStatus::ZombiedSoft) => UnitChanged {
                place: here(),
                until: Some(after(self.now, self.plan.settings.retry_after)),
                reasoning: Some(reason.clone()),
                answered: rejected(),
                ..change("cancelled", UnitStatus::ZombiedDead, by)
            },
            (PilotAct::Cancel { reason }, UnitStatus::ZombiedDead) => UnitChanged {
                reasoning: Some(reason.clone()),
                ..change("cancelled", UnitStatus::Failed, by)
            },
            (PilotAct::Archive { reason }, UnitStatus::ZombiedDead) => UnitChanged {
                reasoning: Some(reason.clone()),
                ..change("archived", UnitStatus::Archived, by)
            },
            _ => return Err(stands()),
        };
        Ok(vec![place.changed(changed)])
    }

    /// A unit goes on where it is. At the end it waits for its set, as everything does that comes there:
    /// whatever stopped it there, the last role takes nothing that is not whole.
    pub(super) fn let_go(&self, place: &Place<'_, '_>, mut active: UnitChanged) -> Vec<Fact> {
        let is_base = place.unit.parent.is_none();
        let arrival = active.place.as_deref().map(|at| self.arrival(place.template, at, is_base));
        let (last, on) = match arrival {
            Some(arrival) if arrival.status == UnitStatus::Completed => (Some(arrival), None),
            arrival => (None, arrival),
        };
        active.until = on.and_then(|arrival| arrival.until);
        let by = active.by.clone();
        let mut facts = vec![place.changed(active)];
        if let Some(arrival) = last {
            facts.push(place.changed(UnitChanged {
                place: Some(arrival.place),
                until: arrival.until,
                ..change("arrived", UnitStatus::Completed, &by)
            }));
        }
        facts
    }

    /// What an actor has made of a unit counts, now that a pilot says so.
    fn go_through(&self, place: &Place<'_, '_>, by: &str) -> Vec<Fact> {
        let unit = place.unit;
        let mut active = UnitChanged {
            place: unit.place.as_deref().map(str::to_owned),
            answered: unit.ask.is_some().then(|| "approved".to_owned()),
            ..change("approved", UnitStatus::Active, by)
        };
        let Some(parked) = unit.parked.as_deref() else { return vec![place.changed(active)] };
        active.reason = Some("approved".to_owned());
        let mut facts = vec![place.changed(active)];
        let mut through = change(&parked.reason, parked.status, by);
        through.place = parked.place.as_deref().map(str::to_owned);
        if let Some(at) = parked.place.as_deref() {
            through.until = match parked.status {
                UnitStatus::Failed => self.stale(place.template, at),
                _ => self.arrival(place.template, at, unit.parent.is_none()).until,
            };
        }
        facts.push(place.changed(through));
        facts
    }
}
