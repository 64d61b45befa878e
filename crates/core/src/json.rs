//! Small questions about JSON values: how large, how deep, what type.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Bytes of `value`'s compact JSON text, without building it.
pub fn size(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number_size(number),
        Value::String(text) => text_size(text),
        Value::Array(items) => {
            items.iter().map(size).sum::<usize>() + items.len().saturating_sub(1) + 2
        }
        Value::Object(fields) => {
            let fields_size: usize =
                fields.iter().map(|(key, value)| text_size(key) + 1 + size(value)).sum();
            fields_size + fields.len().saturating_sub(1) + 2
        }
    }
}

fn number_size(number: &serde_json::Number) -> usize {
    let digits = |value: u64| value.checked_ilog10().unwrap_or(0) as usize + 1;
    if let Some(value) = number.as_u64() {
        return digits(value);
    }
    match number.as_i64() {
        Some(value) => digits(value.unsigned_abs()) + 1,
        None => number.to_string().len(),
    }
}

fn text_size(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0x00..=0x1f => 5,
        _ => 0,
    });
    text.len() + escapes.sum::<usize>() + 2
}

/// SHA-256 of `value`'s compact JSON text with the fields of every object in order, in hexadecimal.
pub fn sha256(value: &Value) -> String {
    let hash = Sha256::digest(sorted(value).to_string());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect()
        }
        other => other.clone(),
    }
}

/// How deep `value` nests: 0 for a scalar, 1 for `[]`.
pub fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The word for `value`'s type in messages: `null`, `bool`, `number`, `string`, `list`, `object`.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// `path` with one more JSON Pointer segment, escaped as RFC 6901 asks.
pub fn pointer(path: &str, segment: impl std::fmt::Display) -> String {
    format!("{path}/{}", segment.to_string().replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_size_is_the_length_of_the_text(value in values()) {
            prop_assert_eq!(size(&value), value.to_string().len());
        }
    }

    #[test]
    fn depth_counts_containers() {
        assert_eq!(depth(&json!(1)), 0);
        assert_eq!(depth(&json!([])), 1);
        assert_eq!(depth(&json!({ "a": [1, { "b": 2 }] })), 3);
    }

    #[test]
    fn pointers_are_escaped() {
        assert_eq!(pointer("/a", "b/c~d"), "/a/b~1c~0d");
    }
}
