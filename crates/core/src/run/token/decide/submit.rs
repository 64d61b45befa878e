//! An actor says what they have made of a unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::advance::field_size;
use super::route::{Comer, New};
use super::subject::Seen;
use super::{Place, SYSTEM, TokenDecider, cerberuses, change};
use crate::failure::Failure;
use crate::json;
use crate::limits::{
    ATTRIBUTE_BYTES_MAX, ATTRIBUTE_COUNT_MAX, JSON_DEPTH_MAX, LABEL_BYTES_MAX, LEARNED_BYTES_MAX,
    PAYLOAD_BYTES_MAX, UNIT_CHILD_COUNT_MAX, UNIT_COUNT_MAX,
};
use crate::run::event::{Fact, UnitChanged, UnitCreated};
use crate::run::input::{Refused, UnitDone};
use crate::run::token::UnitStatus;
use crate::run::token::unit::{Held, Unit};
use crate::template::RoleKind;
use crate::template::guardians::Disposal;

/// Something that is over with a unit.
struct Below<'u> {
    path: &'u str,
    unit: &'u Unit,
    /// Whether it is in a child workflow, and so no part.
    is_inside: bool,
}

/// A key and a value that a role keeps, if an actor says so.
type Learned = Option<Box<(String, Value)>>;

/// What an actor has learned in passing: it is kept for the role, and never an attribute.
const LEARNED: &str = "_learned_rule";
/// Bytes of what a part is remembered by without its attributes, at most.
const PART_BYTES: usize = 160;
/// Attributes that parts do not get unless their parent says so here.
const TRANSFERABLE: &str = "_transferable";

impl TokenDecider<'_> {
    pub(super) fn submit(
        &self,
        place: &Place<'_, '_>,
        held: &Held,
        done: &UnitDone,
    ) -> Result<Vec<Fact>, Refused> {
        let unit = place.unit;
        let by = held.holder.by.as_str();
        if let Some(breach) = place.breach() {
            return Ok(vec![breach]);
        }
        let (new, learned) = self.taken_over(unit, &done.attributes)?;
        let kind = place.role_kind(&held.role).unwrap_or(RoleKind::Beta);
        if !done.children.is_empty() {
            if kind != RoleKind::Beta {
                return Err(bad(format!("a role {} does not split units of work", kind.as_str())));
            }
            return self.split(place, held, done, (new, learned));
        }
        if kind == RoleKind::Omega {
            return Ok(self.finalize(place, held, done, (new, learned)));
        }
        let seen = Seen { unit, new: &new, parent_id: self.parent_id(unit) };
        let (next, details) = self.way(place.template, &held.role, &seen);
        let said = UnitChanged {
            role: Some(held.role.to_string()),
            reasoning: done.reasoning.clone(),
            details: details.map(Box::new),
            learned,
            // Whoever keeps time or mends has not done what it was lost over.
            retries: (kind == RoleKind::Beta && unit.retries > 0).then_some(0),
            ..change("submitted", UnitStatus::Pending, by)
        };
        let Some(next) = next else {
            return Ok(vec![self.no_way(place, (kind, by), said, new)]);
        };
        let arrival = self.arrival(place.template, &next, unit.parent.is_none());
        let arrived = UnitChanged {
            status: arrival.status,
            place: Some(arrival.place),
            until: arrival.until,
            reason: (kind == RoleKind::Epsilon).then(|| "remediated".to_owned()),
            ..said
        };
        let arrived = self.or_park(self.with(unit, arrived, new));
        Ok(self.and_enter(place, arrived))
    }

    /// No policy of the role says where to: whoever mends takes it.
    fn no_way(
        &self,
        place: &Place<'_, '_>,
        (kind, by): (RoleKind, &str),
        said: UnitChanged,
        mut new: New,
    ) -> Fact {
        let closed = said.details.as_ref().and_then(|details| details.get("closed")).cloned();
        let why = match closed {
            Some(_) => "guardians have closed ways, and no way is left",
            None => "no branch of the role's policies holds",
        };
        let mut note = json!({
            "error_code": "NO_ROUTE", "details": why, "timestamp": self.now.to_string(),
            "actor_id": by,
        });
        if let Some(closed) = closed {
            note["closed"] = closed;
        }
        new.insert("_error".to_owned(), Arc::new(note));
        let down = self.downhill(place, kind, "no_route", by);
        let down = UnitChanged {
            role: said.role,
            reasoning: said.reasoning,
            details: said.details,
            learned: said.learned,
            ..down
        };
        place.changed(self.or_park(self.with(place.unit, down, new)))
    }

    /// Attributes that have a new value, and what was learned.
    fn taken_over(
        &self,
        unit: &Unit,
        attributes: &BTreeMap<String, Value>,
    ) -> Result<(New, Learned), Refused> {
        check_attributes(attributes.iter())?;
        let is_new =
            |name: &str, value: &Value| unit.attribute(name).is_none_or(|known| **known != *value);
        let new: New = attributes
            .iter()
            .filter(|(name, value)| *name != LEARNED && is_new(name, value))
            .map(|(name, value)| (name.clone(), Arc::new(value.clone())))
            .collect();
        let more = new.keys().filter(|name| unit.attribute(name).is_none()).count();
        let count = unit.attributes.len() + more;
        if count > ATTRIBUTE_COUNT_MAX {
            return Err(bad(format!("a unit has at most {ATTRIBUTE_COUNT_MAX} attributes")));
        }
        Ok((new, attributes.get(LEARNED).and_then(learned)))
    }

    /// The unit is split: its parts go their ways, and it waits for them at the end.
    fn split(
        &self,
        place: &Place<'_, '_>,
        held: &Held,
        done: &UnitDone,
        (new, learned): (New, Learned),
    ) -> Result<Vec<Fact>, Refused> {
        let unit = place.unit;
        let count = done.children.len();
        if count > UNIT_CHILD_COUNT_MAX {
            let message = format!("a unit is split into {UNIT_CHILD_COUNT_MAX} at once at most");
            return Err(bad(message));
        }
        if self.tokens.units.len() + count > UNIT_COUNT_MAX {
            return Err(bad(format!("a run has at most {UNIT_COUNT_MAX} units of work")));
        }
        let Some(end) = place.queue_of(RoleKind::Omega) else {
            return Err(
                bad("the workflow has no OMEGA where parts could come together".to_owned()),
            );
        };
        let inherited = inherited(unit, &new);
        let mut created = Vec::new();
        let mut comers = Vec::new();
        for (number, (id, own)) in (self.tokens.units.len()..).zip(&done.children) {
            check_attributes(own.iter())?;
            let mut attributes = inherited.clone();
            attributes
                .extend(own.iter().map(|(name, value)| (name.clone(), Arc::new(value.clone()))));
            if attributes.len() > ATTRIBUTE_COUNT_MAX {
                return Err(bad(format!(
                    "a part has at most {ATTRIBUTE_COUNT_MAX} attributes, with those of its parent"
                )));
            }
            let path = format!("u{number}");
            let part = self.part(place, held, *id, attributes);
            comers.push(Comer::of(&path, &part));
            created.push(Fact::UnitCreated { path, unit: Box::new(part) });
        }
        // All parts have their numbers before one goes into a child workflow: how many units a run may
        // have was asked for the parts.
        let mut next = self.tokens.units.len() + count;
        for comer in comers {
            let inside = self.enter(place.template, comer, next);
            let is_new = |fact: &&Fact| matches!(fact, Fact::UnitCreated { .. });
            next += inside.iter().filter(is_new).count();
            created.extend(inside);
        }
        let arrival = self.arrival(place.template, end, unit.parent.is_none());
        let split = UnitChanged {
            status: arrival.status,
            place: Some(arrival.place),
            until: arrival.until,
            role: Some(held.role.to_string()),
            reasoning: done.reasoning.clone(),
            details: Some(Box::new(json!({ "children": count }))),
            learned,
            retries: (unit.retries > 0).then_some(0),
            ..change("submitted", UnitStatus::Completed, &held.holder.by)
        };
        let split = UnitChanged { reason: Some("split".to_owned()), ..split };
        // The parts first: a set that is whole for a moment would be released too early.
        created.push(place.changed(self.or_park(self.with(unit, split, new))));
        Ok(created)
    }

    /// A part of a unit, on the way that its own attributes say.
    fn part(&self, place: &Place<'_, '_>, held: &Held, id: Uuid, attributes: New) -> UnitCreated {
        let unit = place.unit;
        let template = place.template;
        let nothing = Unit::blank(id, self.now);
        let seen = Seen { unit: &nothing, new: &attributes, parent_id: Some(unit.id) };
        let (next, _) = self.way(template, &held.role, &seen);
        let arrival = match next {
            Some(next) => self.arrival(template, &next, false),
            None => {
                let ate = place.queue_of(RoleKind::Epsilon).unwrap_or_default();
                super::route::Arrival {
                    place: ate.to_owned(),
                    status: UnitStatus::Failed,
                    until: self.stale(template, ate),
                }
            }
        };
        UnitCreated {
            id,
            parent: Some(place.path.to_owned()),
            place: arrival.place,
            status: arrival.status,
            until: arrival.until,
            max_interactions: unit.max_interactions,
            priority: unit.priority,
            fairness_key: unit.fairness_key.to_string(),
            ..self.new_unit(template, "", attributes, &held.holder.by)
        }
    }

    /// The last role is done with a set: what its parts have come to is gathered in the base.
    fn finalize(
        &self,
        place: &Place<'_, '_>,
        held: &Held,
        done: &UnitDone,
        (mut new, learned): (New, Learned),
    ) -> Vec<Fact> {
        let unit = place.unit;
        let below = self.below(place.path);
        let parts: Vec<&Unit> =
            below.iter().filter(|one| !one.is_inside).map(|one| one.unit).collect();
        if !parts.is_empty() {
            let gathered = gathered(unit, &new, &parts);
            new.insert("_children".to_owned(), Arc::new(gathered));
        }
        let details = json!({ "set": parts.len() + 1 });
        let mut finalized = UnitChanged {
            role: Some(held.role.to_string()),
            reasoning: done.reasoning.clone(),
            details: Some(Box::new(details)),
            learned,
            answered: unit.expired(),
            ..change("finalized", UnitStatus::Finalized, &held.holder.by)
        };
        let mut facts = Vec::new();
        // One that a pilot has waived still says what becomes of the parts.
        let at = unit.place.as_deref().unwrap_or_default();
        let cerberus = cerberuses(place.template, at).next().map(|(_, cerberus)| cerberus);
        for Below { path, unit: part, .. } in &below {
            let at = Place { path, unit: part, template: place.template };
            let is_pruned = cerberus.is_some_and(|cerberus| match cerberus.disposal {
                Disposal::Archive => false,
                Disposal::Prune => true,
                Disposal::Selective => !is_kept(part, &cerberus.keep),
            });
            // What has come to its own end stays there, but need not be kept.
            let status = if part.is_over() { part.status } else { UnitStatus::Archived };
            let because = match is_pruned {
                true => "pruned",
                false if part.is_over() => continue,
                false => "archived",
            };
            let answered = part.expired();
            facts.push(at.changed(UnitChanged { answered, ..change(because, status, SYSTEM) }));
        }
        finalized = self.with(unit, finalized, new.clone());
        facts.push(place.changed(finalized));
        facts.extend(self.come_back(place, &new));
        facts
    }

    /// All parts of a unit, and theirs, with what they are in child workflows that they have not come
    /// out of.
    fn below<'u>(&'u self, path: &str) -> Vec<Below<'u>> {
        let mut found: Vec<Below<'u>> = Vec::new();
        let mut look = vec![(path, false)];
        while let Some((next, is_inside)) = look.pop() {
            let Some(unit) = self.tokens.units.get(next) else { continue };
            let parts = unit.children.iter().map(|part| (part, is_inside));
            for (path, is_inside) in parts.chain(unit.inside.iter().map(|inside| (inside, true))) {
                if let Some((path, unit)) = self.tokens.units.get_key_value(path) {
                    found.push(Below { path, unit, is_inside });
                    look.push((path, is_inside));
                }
            }
        }
        found.sort_by_key(|one| one.unit.ordinal);
        found
    }

    /// A unit that was in a child workflow has come out of it: the one that went in goes on, with what
    /// it has become.
    pub(super) fn come_back(&self, place: &Place<'_, '_>, new: &New) -> Vec<Fact> {
        let Some(gate) = place.unit.gateway_of.as_deref() else { return Vec::new() };
        let Ok(outside) = self.at(gate) else { return Vec::new() };
        // It may be over meanwhile, or have gone on without waiting.
        if outside.unit.inside.as_deref() != Some(place.path) {
            return Vec::new();
        }
        if let Some(breach) = outside.breach() {
            return vec![breach];
        }
        let Some(role) = outside.unit.role.as_deref() else { return Vec::new() };
        let mut become_: New = place
            .unit
            .attributes
            .iter()
            .map(|(name, one)| (name.to_string(), one.value.clone()))
            .collect();
        become_.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
        become_.retain(|name, value| outside.unit.attribute(name) != Some(value));
        let seen =
            Seen { unit: outside.unit, new: &become_, parent_id: self.parent_id(outside.unit) };
        let (next, details) = self.way(outside.template, role, &seen);
        let said = UnitChanged {
            role: Some(role.to_owned()),
            details: details.map(Box::new),
            ..change("returned", UnitStatus::Pending, SYSTEM)
        };
        let Some(next) = next else {
            return vec![self.no_way(&outside, (RoleKind::Beta, SYSTEM), said, become_)];
        };
        let arrival = self.arrival(outside.template, &next, outside.unit.parent.is_none());
        let arrived = UnitChanged {
            status: arrival.status,
            place: Some(arrival.place),
            until: arrival.until,
            ..said
        };
        let arrived = self.or_park(self.with(outside.unit, arrived, become_));
        self.and_enter(&outside, arrived)
    }
}

/// What is to be kept for the role, if it can be. What cannot must not stop what was done.
fn learned(rule: &Value) -> Learned {
    let key = rule.get("key")?.as_str()?;
    let is_key = !key.is_empty() && key.len() <= LABEL_BYTES_MAX && !key.contains(char::is_control);
    let value = rule.get("value").filter(|value| json::size(value) <= LEARNED_BYTES_MAX)?;
    is_key.then(|| Box::new((key.to_owned(), value.clone())))
}

/// What the parts of a base are remembered by in it. Attributes are gathered only as long as they,
/// with those of the base, fit into what a run hands on; of the parts after that, how many there were.
fn gathered(base: &Unit, new: &New, parts: &[&Unit]) -> Value {
    let own = base.attributes.iter().filter(|(name, _)| !new.contains_key(&***name));
    let own = own.map(|(name, one)| field_size(name, &one.value));
    let new = new.iter().map(|(name, value)| field_size(name, value));
    let mut bytes = own.chain(new).sum::<usize>() + parts.len() * PART_BYTES;
    let mut is_full = false;
    let gathered = parts.iter().map(|part| {
        let own = || part.attributes.iter().filter(|(name, _)| !name.starts_with('_'));
        bytes += own().map(|(name, one)| field_size(name, &one.value)).sum::<usize>();
        is_full |= bytes > PAYLOAD_BYTES_MAX;
        if is_full {
            return json!({ "uow_id": part.id, "status": part.status, "left_out": own().count() });
        }
        let attributes: serde_json::Map<String, Value> =
            own().map(|(name, one)| (name.to_string(), (*one.value).clone())).collect();
        json!({ "uow_id": part.id, "status": part.status, "attributes": attributes })
    });
    Value::Array(gathered.collect())
}

/// What parts get of their parent's attributes: those it names, else all that are not internal.
fn inherited(unit: &Unit, new: &New) -> New {
    let mut all: New =
        unit.attributes.iter().map(|(name, one)| (name.to_string(), one.value.clone())).collect();
    all.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
    let named = all.get(TRANSFERABLE).and_then(|names| names.as_array().cloned());
    all.retain(|name, _| {
        !name.starts_with('_')
            && named.as_ref().is_none_or(|names| names.iter().any(|one| one == name))
    });
    all
}

/// Whether a part has an attribute by which it is kept, with a value that says yes.
fn is_kept(part: &Unit, keep: &[String]) -> bool {
    keep.iter().any(|name| {
        let value = part.attribute(name);
        value.is_some_and(|value| !matches!(**value, Value::Null | Value::Bool(false)))
    })
}

/// Refuses attributes that cannot be kept.
///
/// # Errors
///
/// [`Refused::BadUnit`] with the first that cannot.
pub fn check_attributes<'a>(
    attributes: impl ExactSizeIterator<Item = (&'a String, &'a Value)>,
) -> Result<(), Refused> {
    if attributes.len() > ATTRIBUTE_COUNT_MAX {
        return Err(bad(format!("a unit has at most {ATTRIBUTE_COUNT_MAX} attributes")));
    }
    for (name, value) in attributes {
        if name.is_empty() || name.len() > LABEL_BYTES_MAX || name.contains(char::is_control) {
            let message = "the name of an attribute has 1 to 256 bytes and no control characters";
            return Err(bad(message.to_owned()));
        }
        let size = json::size(value);
        if size > ATTRIBUTE_BYTES_MAX {
            return Err(bad(format!(
                "the attribute `{name:.64}` has {size} bytes, but may have at most \
                 {ATTRIBUTE_BYTES_MAX}"
            )));
        }
        if json::depth(value) > JSON_DEPTH_MAX {
            return Err(bad(format!(
                "the attribute `{name:.64}` nests deeper than {JSON_DEPTH_MAX}"
            )));
        }
    }
    Ok(())
}

pub(in crate::run) fn bad(message: String) -> Refused {
    Refused::BadUnit(Failure::new("bad_unit", message))
}
