//! Writing a value as YAML that [`read`](super::read) reads as the same value.

use serde_json::Value;

use super::scalar;

/// Longer keys are no keys in YAML, unless written in a way few readers know.
const KEY_CHARS_MAX: usize = 1_000;

/// A value as YAML, in block style. A document with a key that is too long for YAML is written as
/// JSON, which is YAML, too.
pub fn to_yaml(value: &Value) -> String {
    if has_long_key(value) {
        return format!("{value:#}\n");
    }
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => object(value, 0, &mut text),
        Value::Array(items) if !items.is_empty() => list(value, 0, &mut text),
        scalar => {
            text.push_str(&one(scalar));
            text.push('\n');
        }
    }
    text
}

fn object(value: &Value, depth: usize, text: &mut String) {
    for (index, (key, value)) in value.as_object().into_iter().flatten().enumerate() {
        // The first field of a list's item stands behind its dash.
        if index > 0 || !text.ends_with("- ") {
            text.push_str(&"  ".repeat(depth));
        }
        text.push_str(&string(key));
        text.push(':');
        below(value, depth, text);
    }
}

fn list(value: &Value, depth: usize, text: &mut String) {
    for item in value.as_array().into_iter().flatten() {
        text.push_str(&"  ".repeat(depth));
        match item {
            Value::Object(fields) if !fields.is_empty() => {
                text.push_str("- ");
                object(item, depth + 1, text);
            }
            other => {
                text.push('-');
                below(other, depth, text);
            }
        }
    }
}

/// What stands behind a key or a dash.
fn below(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            object(value, depth + 1, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            list(value, depth + 1, text);
        }
        scalar => {
            text.push(' ');
            text.push_str(&one(scalar));
            text.push('\n');
        }
    }
}

fn one(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        other => other.to_string(),
    }
}

/// Plain where nobody could read anything else, else between quotes.
fn string(text: &str) -> String {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '.' | '/' | '-');
    let is_plain = starts_well
        && text.chars().all(is_word)
        && !text.ends_with(' ')
        && scalar::plain(text) == Ok(Value::from(text))
        // Readers of YAML 1.1 take these for true and false.
        && !["yes", "no", "on", "off", "y", "n"].contains(&text.to_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // Line separators of Unicode, and what cannot be seen.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if matches!(u32::from(c), 0xfffe | 0xffff) => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn has_long_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_long_key),
        Value::Object(fields) => fields
            .iter()
            .any(|(key, value)| string(key).chars().count() > KEY_CHARS_MAX || has_long_key(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::source::read;

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[ -~]{0,12}",
            Just("<<".to_owned()),
            Just("yes".to_owned()),
            Just("- a: b # c".to_owned()),
            Just("1.5".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in values()) {
            let text = to_yaml(&json!({ "value": value }));
            let read = read(&text).map_err(|finding| TestCaseError::fail(finding.to_string()))?;
            prop_assert_eq!(&read.value["value"], &value, "{}", text);
        }
    }

    #[test]
    fn it_is_written_as_a_person_would() {
        let value = json!({
            "name": "Refund Desk", "version": 1, "empty": {}, "quoted": "yes", "none": null,
            "roles": [{ "name": "Intake", "tags": ["a", "b: c"] }, [1, [2]]],
        });
        let expected = "name: Refund Desk\nversion: 1\nempty: {}\nquoted: \"yes\"\nnone: null\n\
            roles:\n  - name: Intake\n    tags:\n      - a\n      - \"b: c\"\n  -\n    - 1\n    -\n\
            \x20     - 2\n";
        assert_eq!(to_yaml(&value), expected);
    }

    #[test]
    fn a_key_that_is_too_long_for_yaml_makes_it_json() {
        let value = json!({ "a": { "k".repeat(5_000): 1 } });
        assert_eq!(read(&to_yaml(&value)).unwrap().value, value);
    }
}
