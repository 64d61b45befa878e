use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::unit::Attribute;
use crate::json;

/// The hash of the current attributes: SHA-256, in hex, of them as compact JSON with its keys in
/// order.
pub(in crate::run) fn state_hash(attributes: &BTreeMap<Arc<str>, Attribute>) -> String {
    let values = attributes.iter().map(|(key, one)| (key.to_string(), (*one.value).clone()));
    json::sha256(&Value::Object(values.collect()))
}
