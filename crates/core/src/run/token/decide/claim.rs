//! An actor takes a unit in the name of a role, unless a guardian says no.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::subject::Seen;
use super::{Place, SYSTEM, TokenDecider, after, change};
use crate::duration::HumanDuration;
use crate::run::event::{Fact, Holder, UnitChanged};
use crate::run::input::Refused;
use crate::run::token::{Injected, UnitStatus};
use crate::template::{Component, Direction, Gate, Guardian, RoleKind, Verdict};

impl TokenDecider<'_> {
    pub(super) fn claim(
        &self,
        place: &Place<'_, '_>,
        by: &str,
        role: Option<&str>,
        lease: HumanDuration,
    ) -> Result<Vec<Fact>, Refused> {
        let unit = place.unit;
        let stands = || Refused::UnitStands { path: place.path.to_owned(), status: unit.status };
        if !unit.is_offered(place.template) {
            return Err(stands());
        }
        let inbound = self.inbound(place, role).ok_or_else(|| {
            let at = unit.place.as_deref().unwrap_or_default();
            let role = role.unwrap_or("of actors");
            super::submit::bad(format!("no role `{role:.64}` takes units at `{at}`"))
        })?;
        let Some(taker) = place.template.roles.get(inbound.role) else { return Err(stands()) };
        if let Some(breach) = place.breach() {
            return Ok(vec![breach]);
        }
        if let Some(most) = unit.max_interactions.or(self.plan.settings.max_interactions)
            && unit.interaction_count >= most
        {
            return Ok(vec![self.lock(place, by, most)]);
        }
        let nothing = BTreeMap::new();
        let seen = Seen { unit, new: &nothing, parent_id: self.parent_id(unit) };
        let mut passed = Vec::new();
        let guardians = inbound.guardians.iter().filter(|one| !unit.waived.contains(&one.name));
        for guardian in guardians {
            match guardian.gate.judge(&seen, self.now) {
                Verdict::Pass => passed.push(guardian),
                Verdict::Reject { message } => {
                    return Ok(vec![self.reject(
                        place,
                        by,
                        (taker.kind, &taker.name),
                        guardian,
                        &message,
                    )]);
                }
            }
        }
        let judged: Vec<Value> = passed
            .iter()
            .filter(|guardian| !matches!(guardian.gate, Gate::PassThru))
            .map(
                |one| json!({ "guardian": one.name, "type": one.kind.as_str(), "verdict": "pass" }),
            )
            .collect();
        let injected = self.inject(&passed, &seen);
        let holder = Holder { by: by.to_owned(), fence: unit.fence + 1, since: self.now, lease };
        let details = (!judged.is_empty()).then(|| Box::new(json!({ "guardians": judged })));
        Ok(vec![place.changed(UnitChanged {
            place: unit.place.as_deref().map(str::to_owned),
            role: Some(taker.name.clone()),
            holder: Some(Box::new(holder)),
            interaction_count: Some(unit.interaction_count + 1),
            is_released: unit.is_released,
            injected,
            details,
            ..change("claimed", UnitStatus::Active, by)
        })])
    }

    /// The pipe by which a role takes the unit: any role's, if none is named.
    fn inbound<'u>(&self, place: &Place<'u, '_>, role: Option<&str>) -> Option<&'u Component> {
        let here = place.unit.place.as_deref()?;
        let template = place.template;
        template.components.iter().find(|component| {
            let taker = template.roles.get(component.role);
            component.direction == Direction::Inbound
                && template
                    .interactions
                    .get(component.interaction)
                    .is_some_and(|at| at.name == here)
                && taker.is_some_and(|taker| {
                    taker.child_workflow_name.is_none()
                        && role.is_none_or(|role| taker.name == role)
                })
        })
    }

    /// It was taken more often than it may be: only a pilot can say how it goes on.
    fn lock(&self, place: &Place<'_, '_>, by: &str, most: u32) -> Fact {
        let note = json!({
            "interaction_count": place.unit.interaction_count, "max_interactions": most,
            "timestamp": self.now.to_string(), "actor_id": by,
        });
        let attributes = BTreeMap::from([("_ambiguity_lock".to_owned(), Arc::new(note))]);
        let locked = UnitChanged {
            place: place.unit.place.as_deref().map(str::to_owned),
            until: Some(after(self.now, self.plan.settings.retry_after)),
            asks: Some("clarification".to_owned()),
            ..change("ambiguity_lock", UnitStatus::ZombiedSoft, SYSTEM)
        };
        place.changed(self.with(place.unit, locked, attributes))
    }

    /// A guardian says no. Who mends takes what others may not; what they may not take goes to who
    /// keeps time, and from there to the pilots.
    fn reject(
        &self,
        place: &Place<'_, '_>,
        by: &str,
        (kind, role): (RoleKind, &str),
        guardian: &Guardian,
        message: &str,
    ) -> Fact {
        let note = json!({
            "error_code": "GUARD_REJECTION", "details": message, "timestamp": self.now.to_string(),
            "actor_id": by, "guard_name": guardian.name, "guard_type": guardian.kind.as_str(),
        });
        let attributes = BTreeMap::from([("_guard_rejection".to_owned(), Arc::new(note))]);
        let details = json!({
            "guardian": guardian.name, "type": guardian.kind.as_str(), "verdict": "fail",
            "message": message,
        });
        let rejected = UnitChanged {
            role: Some(role.to_owned()),
            details: Some(Box::new(details)),
            ..self.downhill(place, kind, "rejected", SYSTEM)
        };
        place.changed(self.with(place.unit, rejected, attributes))
    }

    /// What rules of injectors add for whoever takes the unit. Of several models the last one counts.
    fn inject(&self, guardians: &[&Guardian], seen: &Seen<'_>) -> Option<Box<Injected>> {
        let mut injected = Injected::default();
        for guardian in guardians {
            let Gate::Injector(injector) = &guardian.gate else { continue };
            let (rules, _) = injector.matching(seen, self.now);
            for rule in rules {
                let mut note = json!({
                    "timestamp": self.now.to_string(), "guard_id": guardian.name,
                    "guard_name": guardian.name, "condition": rule.condition.text,
                    "model_override": rule.model_override, "instructions": rule.instructions,
                    "knowledge_fragments": rule.fragments,
                });
                if let Some(model) = injector.model(rule) {
                    if model.is_failover {
                        note["failover_used"] = true.into();
                        note["failover_model"] = model.name.as_str().into();
                    }
                    injected.model_id = Some(model.name);
                }
                if let Some(new) = &rule.instructions {
                    injected.instructions = Some(match injected.instructions.take() {
                        Some(old) => format!("{new}\n\n{old}"),
                        None => new.clone(),
                    });
                }
                for fragment in &rule.fragments {
                    if !injected.fragments.contains(fragment) {
                        injected.fragments.push(fragment.clone());
                    }
                }
                injected.audit.push(note);
            }
        }
        (!injected.audit.is_empty()).then(|| Box::new(injected))
    }
}
