//! What agents are shown: what the API shows, but never more than fits into a conversation.

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::run::RunBody;

/// A value with more bytes is shown in part.
pub(super) const VALUE_BYTES_MAX: usize = 32 * 1024;
/// Characters that are left of it.
const HEAD_LENGTH: usize = 2_000;

/// As JSON.
pub(super) fn json(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// A value, or how large it is and how it begins.
pub(super) fn fit(value: Value) -> Value {
    let bytes = windlass_core::json::size(&value);
    if bytes <= VALUE_BYTES_MAX {
        return value;
    }
    let text = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let head: String = text.chars().take(HEAD_LENGTH).collect();
    json!({ "is_cut": true, "bytes": bytes, "head": head })
}

/// A run, without its input, which whoever has started it knows.
pub(super) fn run(run: RunBody) -> Value {
    let is_over = matches!(run.status, "succeeded" | "failed" | "cancelled");
    let has_output = run.status == "succeeded";
    let run_id = run.id;
    let Value::Object(mut fields) = json(RunBody { input: Value::Null, ..run }) else {
        return Value::Null;
    };
    fields.shift_remove("id");
    fields.retain(|name, value| !value.is_null() || (has_output && name == "output"));
    for name in ["output", "error"] {
        if let Some(value) = fields.get_mut(name) {
            *value = fit(value.take());
        }
    }
    let mut shown = json!({ "run_id": run_id, "is_over": is_over });
    if let Value::Object(shown) = &mut shown {
        shown.append(&mut fields);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_large_is_shown_in_part() {
        let small = json!({ "a": "x".repeat(1_000) });
        assert_eq!(fit(small.clone()), small);
        let large = fit(json!("é".repeat(VALUE_BYTES_MAX)));
        assert_eq!(large["is_cut"], true);
        assert_eq!(large["head"].as_str().unwrap().chars().count(), HEAD_LENGTH);
        assert!(
            fit(json!(["x".repeat(VALUE_BYTES_MAX)]))["head"].as_str().unwrap().starts_with("[\"x")
        );
    }
}
