//! Where two JSON values differ.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Places that are named.
const PLACES_MAX: usize = 100;
/// The longest text that is quoted, in characters.
const TEXT_CHARS_MAX: usize = 1_000;

/// A place at which two values differ.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Difference {
    /// The place, as a JSON Pointer; empty for the value as a whole.
    pub path: String,
    /// What stands there in one; left out if nothing does. Long texts are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value>,
    /// What stands there in the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value>,
}

/// The places at which two values differ, in order, at most 100.
pub fn differences(a: &Value, b: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    look(Some(a), Some(b), &mut String::new(), &mut found);
    found
}

fn look(a: Option<&Value>, b: Option<&Value>, path: &mut String, found: &mut Vec<Difference>) {
    if a == b || found.len() >= PLACES_MAX {
        return;
    }
    let length = path.len();
    match (a, b) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let added = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(added) {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                look(one.get(name), other.get(name), path, found);
                path.truncate(length);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for place in 0..one.len().max(other.len()) {
                path.push_str(&format!("/{place}"));
                look(one.get(place), other.get(place), path, found);
                path.truncate(length);
            }
        }
        _ => found.push(Difference { path: path.clone(), a: a.map(quoted), b: b.map(quoted) }),
    }
}

fn quoted(value: &Value) -> Value {
    match value {
        Value::String(text) if text.len() > TEXT_CHARS_MAX => {
            let start: String = text.chars().take(TEXT_CHARS_MAX).collect();
            Value::String(format!("{start}…"))
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn places_are_named() {
        let (a, b) =
            (json!({ "x": [1, { "y/z": 2 }], "only": null }), json!({ "x": [1, { "y/z": 3 }, 4] }));
        let found = serde_json::to_value(differences(&a, &b)).unwrap();
        let wanted = json!([
            { "path": "/x/1/y~1z", "a": 2, "b": 3 },
            { "path": "/x/2", "b": 4 },
            { "path": "/only", "a": null },
        ]);
        assert_eq!(found, wanted);
        assert_eq!(differences(&a, &a), []);
        assert_eq!(differences(&json!(1), &json!("1"))[0].path, "");
        let long = json!((0..1_000).collect::<Vec<u32>>());
        assert_eq!(differences(&long, &json!([])).len(), 100);
    }
}
