//! What follows without anybody's doing: a set is released, and a run ends with its base.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::route::{Comer, New};
use super::subject::Seen;
use super::{Place, SYSTEM, TokenDecider, cerberuses, change, consumers};
use crate::failure::Failure;
use crate::json;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::run::event::{Fact, UnitChanged, UnitCreated};
use crate::run::token::unit::Unit;
use crate::run::token::{BASE, UnitStatus};
use crate::template::RoleKind;
use crate::template::guardians::Cerberus;

impl TokenDecider<'_> {
    pub(in crate::run) fn advance(&self) -> Vec<Fact> {
        let Some(base) = self.tokens.units.get(BASE) else { return self.begin() };
        if base.is_over() {
            return self.end(base);
        }
        for path in &self.tokens.waiting {
            let Ok(place) = self.at(path) else { continue };
            if self.head(&place).is_none() {
                let at = place.unit.place.as_deref();
                return vec![place.changed(UnitChanged {
                    place: at.map(str::to_owned),
                    until: at.and_then(|at| self.stale(place.template, at)),
                    reason: Some("set_whole".to_owned()),
                    is_released: true,
                    ..change("set_released", UnitStatus::Completed, SYSTEM)
                })];
            }
        }
        // A unit that has gone into a child workflow comes back also if it has failed there.
        let Some(path) = self.tokens.lost.first() else { return Vec::new() };
        let Ok(place) = self.at(path) else { return Vec::new() };
        let failed = self.downhill(&place, RoleKind::Beta, "child_failed", SYSTEM);
        vec![place.changed(failed)]
    }

    /// The base comes up.
    fn begin(&self) -> Vec<Fact> {
        let created = &self.state.created;
        let terms = created.unit.as_deref().cloned().unwrap_or_default();
        let by = created.by.as_deref().unwrap_or(SYSTEM);
        let lost = |message: &str| {
            vec![Fact::RunFailed { error: Failure::new("wrong_definition", message) }]
        };
        let Some(template) = self.plan.entry() else {
            return lost("the instance has no workflow by which work enters");
        };
        let attributes = created.input.as_object().cloned().unwrap_or_default();
        let attributes: New =
            attributes.into_iter().map(|(name, value)| (name, Arc::new(value))).collect();
        let nothing = Unit::blank(created.run_id, self.now);
        let seen = Seen { unit: &nothing, new: &attributes, parent_id: None };
        let Some(entry) = self.genesis(template, &seen) else {
            return lost("the workflow has no interaction at which work enters");
        };
        let unit = UnitCreated {
            id: created.run_id,
            reasoning: Some(terms.reasoning.unwrap_or_else(|| "initial context".to_owned())),
            max_interactions: terms.max_interactions,
            priority: created.priority,
            fairness_key: terms.fairness_key,
            ..self.new_unit(template, &entry, attributes, by)
        };
        let comer = Comer::of(BASE, &unit);
        let mut facts = vec![Fact::UnitCreated { path: BASE.to_owned(), unit: Box::new(unit) }];
        facts.extend(self.enter(template, comer, 1));
        facts
    }

    /// Which head of CERBERUS holds a set back, if one does. Asked after every input of a run, so it
    /// looks at no part.
    fn head(&self, place: &Place<'_, '_>) -> Option<Head> {
        let at = place.unit.place.as_deref().unwrap_or_default();
        cerberuses(place.template, at)
            .filter(|(guardian, _)| !place.unit.waived.contains(&guardian.name))
            .find_map(|(_, cerberus)| head(cerberus, place.unit))
    }

    /// Units of which nothing more will come.
    pub(in crate::run) fn put_away(&self, because: &str) -> Vec<Fact> {
        let open = self.tokens.units.iter().filter(|(_, unit)| !unit.is_over());
        let away = open.filter_map(|(path, _)| {
            let place = self.at(path).ok()?;
            let answered = place.unit.expired();
            let away = change(because, UnitStatus::Archived, SYSTEM);
            Some(place.changed(UnitChanged { answered, ..away }))
        });
        away.collect()
    }

    /// Which head of CERBERUS holds the set of the base at `path` back, if one does, and in words.
    pub(in crate::run) fn head_of(&self, path: &str) -> Option<(&'static str, String)> {
        let place = self.at(path).ok()?;
        let (finished, count) = (place.unit.finished_children, place.unit.children.len());
        Some(match self.head(&place)? {
            Head::Base => ("base", "the base has no attributes".to_owned()),
            Head::Open => {
                let parts = place.unit.children.iter();
                let mut parts = parts.filter_map(|path| self.tokens.units.get(path));
                let is_bad =
                    |part: &&Unit| matches!(part.status, UnitStatus::Active | UnitStatus::Failed);
                match parts.find(is_bad) {
                    Some(part) => ("status", format!("the part {} is {}", part.id, part.status)),
                    None => ("child", format!("{finished} of {count} parts have come")),
                }
            }
            Head::TooFew { least } => {
                ("child", format!("the set has {count} parts, but needs {least}"))
            }
            Head::TooMany { most } => {
                ("child", format!("the set has {count} parts, but may have {most}"))
            }
        })
    }

    /// The roles that may take a unit where it is.
    pub(in crate::run) fn takers(&self, unit: &Unit) -> Vec<String> {
        let template = self.plan.workflows.get(&*unit.workflow);
        let (Some(template), Some(at)) = (template, unit.place.as_deref()) else {
            return Vec::new();
        };
        consumers(template, at).map(|role| role.name.clone()).collect()
    }

    fn end(&self, base: &Unit) -> Vec<Fact> {
        let mut facts = self.put_away("base_over");
        facts.push(match base.status {
            UnitStatus::Finalized | UnitStatus::Archived => {
                Fact::RunSucceeded { output: Arc::new(output(base)) }
            }
            status => {
                let reason = base.reason.as_deref().unwrap_or(status.as_str());
                let message = format!("the unit of work is {status}: {reason}");
                let error = Failure::new(status.as_str(), message);
                Fact::RunFailed { error: error.with(json!({ "reason": reason })) }
            }
        });
        facts
    }
}

/// Bytes of a field of an object, about.
pub(super) fn field_size(name: &str, value: &Value) -> usize {
    name.len() + 4 + json::size(value)
}

/// What a run hands on: the attributes of its base, as many as fit.
fn output(base: &Unit) -> Value {
    let (mut bytes, mut left_out) = (0, 0);
    let mut own = Map::new();
    for (name, one) in &base.attributes {
        let size = field_size(name, &one.value);
        if bytes + size > PAYLOAD_BYTES_MAX {
            left_out += 1;
            continue;
        }
        bytes += size;
        own.insert(name.to_string(), (*one.value).clone());
    }
    if left_out > 0 {
        own.insert("_left_out".to_owned(), left_out.into());
    }
    Value::Object(own)
}

/// Why CERBERUS holds a set.
enum Head {
    /// Its base has no attributes.
    Base,
    /// Parts are still to come.
    Open,
    /// It has too few parts.
    TooFew { least: u32 },
    /// It has too many.
    TooMany { most: u32 },
}

fn head(cerberus: &Cerberus, base: &Unit) -> Option<Head> {
    if base.attributes.is_empty() {
        return Some(Head::Base);
    }
    let parts = u32::try_from(base.children.len()).unwrap_or(u32::MAX);
    if cerberus.wait_for_children && base.finished_children < parts {
        return Some(Head::Open);
    }
    if parts < cerberus.min_children {
        return Some(Head::TooFew { least: cerberus.min_children });
    }
    let most = cerberus.max_children.filter(|most| parts > *most)?;
    Some(Head::TooMany { most })
}
