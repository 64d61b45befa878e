//! Where a unit goes: along a pipe, or, if something is wrong with it, down to those who mend.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::subject::{Seen, hash_with};
use super::{Place, SYSTEM, TokenDecider, after, cerberuses, change, consumers, seconds};
use crate::limits::UNIT_COUNT_MAX;
use crate::run::event::{Fact, ParkedFor, UnitChanged, UnitCreated};
use crate::run::token::UnitStatus;
use crate::run::token::unit::Unit;
use crate::template::{Closed, RoleKind, Template, route};
use crate::time::Time;

/// What a unit is given on its way.
pub(super) type New = BTreeMap<String, Arc<Value>>;

/// Where a unit comes to.
pub(super) struct Arrival {
    pub(super) place: String,
    pub(super) status: UnitStatus,
    pub(super) until: Option<Time>,
}

/// A unit that has come to an interaction.
pub(super) struct Comer {
    pub(super) path: String,
    pub(super) id: Uuid,
    pub(super) status: UnitStatus,
    pub(super) place: Option<String>,
    pub(super) attributes: New,
    pub(super) by: String,
    pub(super) priority: i32,
    pub(super) fairness_key: String,
    pub(super) max_interactions: Option<u32>,
}

impl Comer {
    pub(super) fn of(path: &str, created: &UnitCreated) -> Comer {
        Comer {
            path: path.to_owned(),
            id: created.id,
            status: created.status,
            place: Some(created.place.clone()),
            attributes: created.attributes.clone(),
            by: created.by.clone(),
            priority: created.priority,
            fairness_key: created.fairness_key.clone(),
            max_interactions: created.max_interactions,
        }
    }
}

impl TokenDecider<'_> {
    pub(super) fn parent_id(&self, unit: &Unit) -> Option<Uuid> {
        let parent = unit.parent.as_deref()?;
        self.tokens.units.get(parent).map(|parent| parent.id)
    }

    /// The interaction to which a role's policies send a unit, with what they had to say.
    pub(super) fn way(
        &self,
        template: &Template,
        role: &str,
        seen: &Seen<'_>,
    ) -> (Option<String>, Option<Value>) {
        let Some(index) = template.roles.iter().position(|one| one.name == role) else {
            return (None, None);
        };
        let routing = route(template, index, seen, self.now);
        let component = routing.component.and_then(|at| template.components.get(at));
        let place =
            component.and_then(|component| template.interactions.get(component.interaction));
        let errors: Vec<Value> = routing.errors.iter().map(|error| json!(error)).collect();
        let closed: Vec<Value> = routing.closed.iter().map(|one| closed(template, one)).collect();
        let told = routing.via.is_some() || !errors.is_empty() || !closed.is_empty();
        let details = told.then(|| {
            let mut details = json!({
                "guardian": routing.via, "branch": routing.branch, "action": routing.action,
                "payload": routing.payload, "errors": errors,
            });
            if !closed.is_empty() {
                details["closed"] = closed.into();
            }
            details
        });
        (place.map(|place| place.name.clone()), details)
    }

    /// How a unit stands at an interaction when it comes there well.
    pub(super) fn arrival(&self, template: &Template, place: &str, is_base: bool) -> Arrival {
        let is_last = consumers(template, place).any(|role| role.kind == RoleKind::Omega);
        let until = if is_last {
            self.patience(template, place).filter(|_| is_base)
        } else {
            self.stale(template, place)
        };
        let status = if is_last { UnitStatus::Completed } else { UnitStatus::Pending };
        Arrival { place: place.to_owned(), status, until }
    }

    /// Until when whoever takes a unit that comes to an interaction now has to have done so.
    pub(super) fn stale(&self, template: &Template, place: &str) -> Option<Time> {
        let at = template.interactions.iter().find(|one| one.name == place)?;
        at.stale_token_limit_seconds.map(|limit| self.now.plus(seconds(limit)))
    }

    /// Until when a set that comes together here now has to be whole.
    fn patience(&self, template: &Template, place: &str) -> Option<Time> {
        let times = cerberuses(template, place).map(|(_, cerberus)| cerberus.timeout);
        times.min().map(|time| self.now.plus(time))
    }

    /// A change with new attributes, and the hash of all.
    pub(super) fn with(&self, unit: &Unit, changed: UnitChanged, new: New) -> UnitChanged {
        UnitChanged { hash: hash_with(unit, &new), attributes: new, ..changed }
    }

    /// Where a unit goes with which something is wrong, if it was in the hands of a role of this kind:
    /// to who mends; from them to who keeps time; from them to the pilots.
    pub(super) fn downhill(
        &self,
        place: &Place<'_, '_>,
        kind: RoleKind,
        because: &str,
        by: &str,
    ) -> UnitChanged {
        let next = match kind {
            RoleKind::Epsilon => RoleKind::Tau,
            RoleKind::Tau => return self.stuck(place, because, by),
            _ => RoleKind::Epsilon,
        };
        self.failed_at(place, next, because, by)
    }

    /// It has failed, and waits for a role of this kind; for the pilots, if there is none.
    pub(super) fn failed_at(
        &self,
        place: &Place<'_, '_>,
        kind: RoleKind,
        because: &str,
        by: &str,
    ) -> UnitChanged {
        match place.queue_of(kind) {
            Some(queue) => UnitChanged {
                place: Some(queue.to_owned()),
                until: self.stale(place.template, queue),
                ..change(because, UnitStatus::Failed, by)
            },
            None => self.stuck(place, because, by),
        }
    }

    /// It is stuck, and may be helped.
    pub(super) fn stuck(&self, place: &Place<'_, '_>, because: &str, by: &str) -> UnitChanged {
        UnitChanged {
            place: place.unit.place.as_deref().map(str::to_owned),
            until: Some(after(self.now, self.plan.settings.retry_after)),
            asks: Some("clarification".to_owned()),
            ..change(because, UnitStatus::ZombiedSoft, by)
        }
    }

    /// The same change, or, if its status takes a pilot's word, the question for that.
    pub(super) fn or_park(&self, changed: UnitChanged) -> UnitChanged {
        let settings = &self.plan.settings;
        if !settings.park.contains(&changed.status) || changed.parked.is_some() {
            return changed;
        }
        let parked = ParkedFor {
            status: changed.status,
            place: changed.place.clone(),
            reason: changed.because.clone(),
            is_approved: false,
        };
        let details = json!({
            "original_target_status": changed.status.as_str().to_uppercase(),
            "park_reason": format!("`{}` takes a pilot's word", changed.status),
            "parked_at": self.now.to_string(),
        });
        UnitChanged {
            status: UnitStatus::PendingPilotApproval,
            reason: Some("parked".to_owned()),
            until: Some(after(self.now, settings.park_time)),
            parked: Some(Box::new(parked)),
            asks: Some("resume".to_owned()),
            details: Some(Box::new(details)),
            ..changed
        }
    }

    /// A unit that comes to an interaction, and, if that is the way into a child workflow, the unit
    /// that goes on there.
    pub(super) fn and_enter(&self, place: &Place<'_, '_>, arrived: UnitChanged) -> Vec<Fact> {
        let unit = place.unit;
        let mut attributes: New = unit
            .attributes
            .iter()
            .map(|(name, one)| (name.to_string(), one.value.clone()))
            .collect();
        attributes.extend(arrived.attributes.clone());
        let comer = Comer {
            path: place.path.to_owned(),
            id: unit.id,
            status: arrived.status,
            place: arrived.place.clone(),
            attributes,
            by: arrived.by.clone(),
            priority: unit.priority,
            fairness_key: unit.fairness_key.to_string(),
            max_interactions: unit.max_interactions,
        };
        let mut facts = vec![place.changed(arrived)];
        facts.extend(self.enter(place.template, comer, self.tokens.units.len()));
        facts
    }

    /// If a unit has come to the way into a child workflow: that it has gone in, and the unit that
    /// goes on there, which is the `number`th of the run.
    pub(super) fn enter(&self, template: &Template, comer: Comer, number: usize) -> Vec<Fact> {
        let place = comer.place.as_deref().filter(|_| comer.status == UnitStatus::Pending);
        let gateway = place.and_then(|at| {
            let mut consumers = consumers(template, at);
            consumers.find(|role| role.child_workflow_name.is_some())
        });
        let Some(role) = gateway else { return Vec::new() };
        let child = role.child_workflow_name.as_deref();
        let Some(child) = child.and_then(|name| self.plan.workflows.get(name)) else {
            return Vec::new();
        };
        let blank = Unit::blank(comer.id, self.now);
        if number >= UNIT_COUNT_MAX {
            let place = comer.place.as_deref().map(Arc::from);
            let unit = Unit { place, ..blank };
            let outside = Place { path: &comer.path, unit: &unit, template };
            let refused = self.downhill(&outside, role.kind, "too_many_units", SYSTEM);
            return vec![outside.changed(refused)];
        }
        let seen = Seen { unit: &blank, new: &comer.attributes, parent_id: None };
        let Some(entry) = self.genesis(child, &seen) else { return Vec::new() };
        let entered = UnitChanged {
            place: comer.place,
            role: Some(role.name.clone()),
            reason: Some("child_workflow".to_owned()),
            ..change("entered", UnitStatus::Active, SYSTEM)
        };
        let inner = UnitCreated {
            id: derived_id(comer.id, self.now, number),
            gateway_of: Some(comer.path.clone()),
            priority: comer.priority,
            fairness_key: comer.fairness_key,
            max_interactions: comer.max_interactions,
            ..self.new_unit(child, &entry, comer.attributes, &comer.by)
        };
        let inside = format!("u{number}");
        let mut facts = vec![Fact::UnitChanged { path: comer.path, change: Box::new(entered) }];
        let next = Comer::of(&inside, &inner);
        facts.push(Fact::UnitCreated { path: inside, unit: Box::new(inner) });
        // The way in may be the way into a further one. Templates that lead into each other for ever
        // are refused when an instance is made.
        facts.extend(self.enter(child, next, number + 1));
        facts
    }

    /// The interaction at which work enters a workflow.
    pub(super) fn genesis(&self, template: &Template, seen: &Seen<'_>) -> Option<String> {
        let alpha = template.roles.iter().find(|role| role.kind == RoleKind::Alpha)?;
        let (place, _) = self.way(template, &alpha.name, seen);
        let entry = template.interactions.get(template.entry());
        place.or_else(|| entry.map(|entry| entry.name.clone()))
    }

    /// A unit that comes up in a workflow.
    pub(super) fn new_unit(
        &self,
        template: &Template,
        place: &str,
        attributes: New,
        by: &str,
    ) -> UnitCreated {
        let arrival = self.arrival(template, place, true);
        let values = attributes.iter().map(|(name, value)| (name.clone(), (**value).clone()));
        UnitCreated {
            id: Uuid::nil(),
            parent: None,
            gateway_of: None,
            workflow: template.name.clone(),
            place: arrival.place,
            status: arrival.status,
            hash: crate::json::sha256(&Value::Object(values.collect())),
            attributes,
            by: by.to_owned(),
            reasoning: None,
            max_interactions: None,
            priority: 0,
            fairness_key: String::new(),
            until: arrival.until,
        }
    }
}

/// Which guardian has closed which way, and why.
fn closed(template: &Template, closed: &Closed) -> Value {
    let component = template.components.get(closed.component);
    let place = component.and_then(|component| template.interactions.get(component.interaction));
    json!({
        "component": component.map(|component| &component.name),
        "interaction": place.map(|place| &place.name),
        "guardian": closed.guardian, "message": closed.message,
    })
}

/// An id that follows from the state, for a unit that nobody outside has asked for.
fn derived_id(of: Uuid, at: Time, count: usize) -> Uuid {
    let hash = crate::json::sha256(&json!([of.to_string(), at.micros(), count]));
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hash.get(index * 2..index * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
