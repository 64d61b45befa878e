//! How a program came to fail, as the part of an error that people read line by line.

use serde_json::Value;
use windlass_core::Failure;

use super::render::json;

/// What is known of a failure beside its message: the traceback, and the rest as JSON.
pub(super) fn details(error: Option<&Failure>) -> (Option<String>, Option<String>) {
    let Some(details) = error.and_then(|error| error.details.as_ref()) else { return (None, None) };
    let Some(trace) = details.get("traceback").and_then(Value::as_str) else {
        return (None, Some(json(details)));
    };
    let mut rest = details.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove("traceback");
        // The last line of the trace says it.
        rest.remove("type");
    }
    let rest = rest.as_object().is_some_and(|rest| !rest.is_empty()).then(|| json(&rest));
    (Some(trace.trim_end().to_owned()), rest)
}
