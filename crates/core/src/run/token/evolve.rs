//! What each event does to units of work.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::UnitStatus;
use super::unit::{Attribute, Held, Injected, Parked, PilotAsk, Tokens, Unit};
use crate::limits::INJECTION_NOTE_COUNT_MAX;
use crate::run::event::{UnitChanged, UnitCreated, UnitNoted};
use crate::time::Time;

impl Tokens {
    pub(in crate::run) fn create(&mut self, path: &str, created: &UnitCreated, at: Time) {
        let by: Arc<str> = Arc::from(created.by.as_str());
        let reasoning: Option<Arc<str>> = created.reasoning.as_deref().map(Arc::from);
        let first = |value: &Arc<Value>| Attribute {
            value: value.clone(),
            version: 1,
            by: by.clone(),
            reasoning: reasoning.clone(),
            at,
        };
        let attributes = created.attributes.iter();
        let path: Arc<str> = Arc::from(path);
        let attributes =
            attributes.map(|(key, value)| (Arc::from(key.as_str()), first(value))).collect();
        let unit = Unit {
            ordinal: u32::try_from(self.units.len()).unwrap_or(u32::MAX),
            parent: created.parent.as_deref().map(Arc::from),
            gateway_of: created.gateway_of.as_deref().map(Arc::from),
            workflow: Arc::from(created.workflow.as_str()),
            place: Some(Arc::from(created.place.as_str())),
            status: created.status,
            attributes,
            hash: Arc::from(created.hash.as_str()),
            max_interactions: created.max_interactions,
            until: created.until,
            priority: created.priority,
            fairness_key: Arc::from(created.fairness_key.as_str()),
            ..Unit::blank(created.id, at)
        };
        if let Some(gate) = created.gateway_of.as_deref().and_then(|path| self.units.get_mut(path))
        {
            let was_open = gate.stands_open();
            gate.inside = Some(path.clone());
            count(&mut self.open, was_open, gate.stands_open());
        }
        if let Some(parent) = created.parent.as_deref() {
            self.change(parent, |parent| parent.children.push(path.clone()));
        }
        count(&mut self.open, false, unit.stands_open());
        self.units.insert(path.clone(), unit);
        // What is whole from its first moment counts at once.
        self.count_whole(&path, false);
        self.mind(&path);
    }

    pub(in crate::run) fn apply(&mut self, path: &str, change: &UnitChanged, at: Time) {
        let Some(unit) = self.units.get(path) else { return };
        let (was_held, was_open) = (unit.holder.is_some(), unit.stands_open());
        self.change(path, |unit| unit.apply(change, at));
        let Some(unit) = self.units.get(path) else { return };
        count(&mut self.held, was_held, unit.holder.is_some());
        count(&mut self.open, was_open, unit.stands_open());
        self.mind(path);
    }

    pub(in crate::run) fn note(&mut self, path: &str, note: &UnitNoted) {
        if let (Some(unit), Some(checkpoint)) = (self.units.get_mut(path), &note.checkpoint) {
            unit.checkpoint = Some(checkpoint.clone());
        }
    }

    /// Changes a unit, and counts it with its parent if that has made it whole or no longer whole.
    fn change(&mut self, path: &str, change: impl FnOnce(&mut Unit)) {
        let Some(unit) = self.units.get_mut(path) else { return };
        let was_whole = unit.is_whole();
        change(unit);
        self.count_whole(path, was_whole);
    }

    fn count_whole(&mut self, path: &str, was_whole: bool) {
        let Some(unit) = self.units.get(path) else { return };
        let (is_whole, parent) = (unit.is_whole(), unit.parent.clone());
        let Some(parent) = parent.filter(|_| is_whole != was_whole) else { return };
        self.change(&parent, |parent| {
            parent.finished_children = match is_whole {
                true => parent.finished_children + 1,
                false => parent.finished_children.saturating_sub(1),
            };
        });
    }

    /// Keeps what is asked after every input in sets, so that no unit has to be looked at for it: which
    /// bases have come to the end and wait for their set, for which units there is a time, and which
    /// were lost in a child workflow.
    fn mind(&mut self, path: &str) {
        let Some(unit) = self.units.get(path) else { return };
        let waits =
            unit.parent.is_none() && unit.status == UnitStatus::Completed && !unit.is_released;
        put(&mut self.waiting, path, waits);
        put(&mut self.timed, path, unit.until.is_some());
        if unit.inside.is_none() {
            self.lost.remove(path);
        }
        let is_lost = unit.is_over() && unit.status != UnitStatus::Finalized;
        let gate = unit.gateway_of.as_deref().filter(|_| is_lost);
        let gate = gate.and_then(|gate| self.units.get_key_value(gate));
        if let Some((gate, _)) = gate.filter(|(_, gate)| gate.inside.as_deref() == Some(path)) {
            self.lost.insert(gate.clone());
        }
    }
}

fn put(set: &mut BTreeSet<Arc<str>>, path: &str, is_in: bool) {
    match is_in {
        true => set.insert(Arc::from(path)),
        false => set.remove(path),
    };
}

fn count(counter: &mut u32, was: bool, is: bool) {
    match (was, is) {
        (false, true) => *counter += 1,
        (true, false) => *counter = counter.saturating_sub(1),
        _ => {}
    }
}

impl Injected {
    /// What is added for a new holder. Of the notes the newest are kept.
    fn add(&mut self, new: &Injected) {
        let mut audit = std::mem::take(&mut self.audit);
        audit.extend(new.audit.iter().cloned());
        audit.drain(..audit.len().saturating_sub(INJECTION_NOTE_COUNT_MAX));
        *self = Injected { audit, ..new.clone() };
    }
}

impl Unit {
    fn apply(&mut self, change: &UnitChanged, at: Time) {
        let place: Option<Arc<str>> = change.place.as_deref().map(Arc::from);
        if place != self.place || change.status != self.status {
            self.entered_at = at;
        }
        if change.because == "rejected" {
            self.rejected_at = self.place.take();
        } else if place != self.place {
            self.rejected_at = None;
        }
        self.role = change.role.as_deref().map(Arc::from).or_else(|| self.role.take());
        self.hold(change);
        self.place = place;
        self.status = change.status;
        self.reason = change.reason.as_deref().or(Some(&change.because)).map(Arc::from);
        self.changed_at = at;
        self.until = change.until;
        self.is_released = change.is_released;
        self.interaction_count = change.interaction_count.unwrap_or(self.interaction_count);
        self.retries = change.retries.unwrap_or(self.retries);
        self.waived.extend(change.waived.clone());
        self.inside = self.inside.take().filter(|_| change.because == "entered");
        self.parked = change.parked.as_ref().map(|parked| {
            Box::new(Parked {
                status: parked.status,
                place: parked.place.as_deref().map(Arc::from),
                reason: Arc::from(parked.reason.as_str()),
                is_approved: parked.is_approved,
            })
        });
        if let Some(injected) = &change.injected {
            self.injected.add(injected);
        }
        if change.because == "pruned" {
            self.attributes = BTreeMap::new();
        }
        self.write(change, at);
        if change.answered.is_some() {
            self.ask = None;
        }
        if let Some(kind) = &change.asks {
            self.asks += 1;
            let kind = Arc::from(kind.as_str());
            self.ask = Some(Box::new(PilotAsk { number: self.asks, kind, since: at }));
        }
    }

    fn hold(&mut self, change: &UnitChanged) {
        let Some(holder) = &change.holder else {
            self.holder = None;
            if change.because == "submitted" {
                self.checkpoint = None;
            }
            // It was for whoever had it. What was done stays known.
            let audit = std::mem::take(&mut self.injected.audit);
            self.injected = Injected { audit, ..Injected::default() };
            return;
        };
        self.fence = holder.fence;
        let (before, role, until) = match self.holder.take() {
            Some(held) => (held.before, held.role, held.until),
            None => (self.status, self.role.clone().unwrap_or_else(|| Arc::from("")), self.until),
        };
        self.holder = Some(Box::new(Held { holder: (**holder).clone(), role, before, until }));
    }

    fn write(&mut self, change: &UnitChanged, at: Time) {
        let by: Arc<str> = Arc::from(change.by.as_str());
        let reasoning: Option<Arc<str>> = change.reasoning.as_deref().map(Arc::from);
        for (key, value) in &change.attributes {
            let version = self.attributes.get(key.as_str()).map_or(0, |one| one.version) + 1;
            let (value, by, reasoning) = (value.clone(), by.clone(), reasoning.clone());
            let one = Attribute { value, version, by, reasoning, at };
            self.attributes.insert(Arc::from(key.as_str()), one);
        }
        if let Some(hash) = &change.hash {
            self.hash = Arc::from(hash.as_str());
        }
    }
}
