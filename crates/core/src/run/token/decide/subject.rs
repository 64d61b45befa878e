use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::super::unit::Unit;
use crate::run::token::hash::state_hash;
use crate::template::Subject;
use crate::time::Time;

/// A unit as a guardian sees it, with what is about to be written to it.
pub(super) struct Seen<'a> {
    pub(super) unit: &'a Unit,
    pub(super) new: &'a BTreeMap<String, Arc<Value>>,
    pub(super) parent_id: Option<Uuid>,
}

impl Subject for Seen<'_> {
    fn attribute(&self, name: &str) -> Option<&Value> {
        match self.new.get(name) {
            Some(value) => Some(value),
            None => self.unit.attribute(name).map(|value| &**value),
        }
    }

    fn attribute_names(&self) -> Vec<&str> {
        let known = self.unit.attributes.keys().map(|name| &**name);
        let new = self.new.keys().map(String::as_str);
        known.chain(new.filter(|name| !self.unit.attributes.contains_key(*name))).collect()
    }

    fn reserved(&self, name: &str) -> Option<Value> {
        Some(match name {
            "uow_id" => self.unit.id.to_string().into(),
            "child_count" => self.unit.children.len().into(),
            "finished_child_count" => self.unit.finished_children.into(),
            "status" => self.unit.status.as_str().to_uppercase().into(),
            "parent_id" => self.parent_id.map_or(Value::Null, |id| id.to_string().into()),
            _ => return None,
        })
    }

    fn created_at(&self) -> Time {
        self.unit.created_at
    }

    fn place(&self) -> Option<&str> {
        self.unit.place.as_deref()
    }

    fn is_waived(&self, guardian: &str) -> bool {
        self.unit.waived.contains(guardian)
    }
}

/// A hash of a unit's attributes with what is about to be written to them.
pub(super) fn hash_with(unit: &Unit, new: &BTreeMap<String, Arc<Value>>) -> Option<String> {
    if new.is_empty() {
        return None;
    }
    let mut values: serde_json::Map<String, Value> = unit
        .attributes
        .iter()
        .map(|(name, one)| (name.to_string(), (*one.value).clone()))
        .collect();
    values.extend(new.iter().map(|(name, value)| (name.clone(), (**value).clone())));
    Some(crate::json::sha256(&Value::Object(values)))
}

/// Whether a unit's attributes are what was written.
pub(super) fn is_intact(unit: &Unit) -> bool {
    state_hash(&unit.attributes) == *unit.hash
}
