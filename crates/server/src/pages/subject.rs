//! What a person is asked about, field by field, or as a whole.

use serde::Serialize;
use serde_json::Value;

use super::render::json;

/// A field of it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: String,
    /// Whether it has lines of its own.
    pub(super) is_block: bool,
}

impl Row {
    pub(super) fn of((name, value): (&String, &Value)) -> Row {
        let (value, is_block) = match value {
            Value::String(text) => (text.clone(), text.contains('\n')),
            Value::Array(_) | Value::Object(_) => (json(value), true),
            other => (other.to_string(), false),
        };
        Row { name: name.clone(), value, is_block }
    }
}

/// The fields of an object; the text of anything else, if it is something.
pub(super) fn subject_of(subject: &Value) -> (Vec<Row>, Option<String>) {
    match subject {
        Value::Object(subject) => (subject.iter().map(Row::of).collect(), None),
        Value::Null => (Vec::new(), None),
        Value::String(text) => (Vec::new(), Some(text.clone())),
        other => (Vec::new(), Some(json(other))),
    }
}
