//! CloudEvents: an event of ours in an envelope, which has its name, its id, its time and its source.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::Rejected;
use crate::http::problem::short;

/// What the body of a request is, if it is one of CloudEvents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The envelope is in the headers, the body is the data.
    Binary,
    /// The body is the envelope with the data, or a list or lines of them.
    Structured,
}

/// Which one it is; `None` if the request has nothing of CloudEvents.
pub fn mode(headers: &HeaderMap) -> Option<Mode> {
    let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|it| it.trim_start().starts_with("application/cloudevents")) {
        return Some(Mode::Structured);
    }
    headers.contains_key("ce-specversion").then_some(Mode::Binary)
}

/// An event of ours, from an envelope in headers and its data.
///
/// # Errors
///
/// Why it is none.
pub fn binary(index: usize, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Rejected> {
    let mut envelope = Map::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else { continue };
        // What is no printable ASCII is percent-encoded there (3.1.3.2).
        let Ok(value) = percent_decode(value.as_bytes()).decode_utf8() else {
            let detail = format!("the header `ce-{name}` is no UTF-8");
            return Err(Rejected::new(index, "bad-value", detail));
        };
        envelope.insert(name.to_owned(), value.into());
    }
    let data = match body.trim_ascii().is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(body)
            .map_err(|error| Rejected::new(index, "bad-json", error.to_string()))?,
    };
    envelope.insert("data".to_owned(), data);
    opened(index, envelope)
}

/// The same from an envelope that has its data in it.
///
/// # Errors
///
/// Why it is none.
pub fn structured(index: usize, text: &[u8]) -> Result<Vec<u8>, Rejected> {
    let envelope: Map<String, Value> = serde_json::from_slice(text).map_err(|error| {
        let code = if error.is_data() { "bad-value" } else { "bad-json" };
        Rejected::new(index, code, error.to_string())
    })?;
    opened(index, envelope)
}

/// What the data says counts; the envelope says what is missing there.
fn opened(index: usize, mut envelope: Map<String, Value>) -> Result<Vec<u8>, Rejected> {
    let data = match (envelope.remove("data"), envelope.remove("data_base64")) {
        (None | Some(Value::Null), Some(packed)) => Some(unpacked(index, &packed)?),
        (data, _) => data,
    };
    let mut event = match data {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(data)) => data,
        Some(_) => {
            let detail = "the `data` of a CloudEvent is an object here";
            return Err(Rejected::new(index, "bad-value", detail));
        }
    };
    for field in ["specversion", "id", "source", "type"] {
        if envelope.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
            let detail = format!("a CloudEvent has a `{field}`");
            return Err(Rejected::new(index, "missing-field", detail));
        }
    }
    let version = envelope.get("specversion").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("1.") {
        let detail =
            format!("the `specversion` of a CloudEvent is `1.0`, and not `{}`", short(version));
        return Err(Rejected::new(index, "bad-value", detail));
    }
    let mut text = |name: &str| match envelope.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let name = text("type").map(|kind| name_of(&kind));
    // Ids are unique within their source only.
    let (source, id) = (text("source").unwrap_or_default(), text("id").unwrap_or_default());
    let said = [
        ("event", name),
        ("event_id", Some(format!("{source} {id}"))),
        ("ts", text("time")),
        ("run_id", text("subject")),
    ];
    for (field, value) in said {
        if let (Some(value), false) = (value, event.contains_key(field)) {
            event.insert(field.to_owned(), value.into());
        }
    }
    if !event.contains_key("flow") && !event.contains_key("flow_key") {
        event.insert("flow".to_owned(), source.into());
    }
    Ok(serde_json::to_vec(&event).unwrap_or_default())
}

/// Data that its sender took for bytes.
fn unpacked(index: usize, packed: &Value) -> Result<Value, Rejected> {
    let bytes = packed.as_str().and_then(|text| STANDARD.decode(text).ok());
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
        let detail = "the `data_base64` of a CloudEvent is JSON here, in base64";
        Rejected::new(index, "bad-value", detail)
    })
}

/// The last part of a type is the event's name: `com.example.task_ok`, or `com.example.task.ok`.
fn name_of(kind: &str) -> String {
    let mut parts = kind.rsplit(['.', '/', ':']);
    let last = parts.next().unwrap_or_default().replace('-', "_");
    match parts.next() {
        Some(before @ ("flow" | "task")) => format!("{before}_{last}"),
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn the_last_part_of_a_type_is_the_name() {
        for kind in ["task_ok", "com.example.task_ok", "com.example.task.ok", "x/task-ok"] {
            assert_eq!(name_of(kind), "task_ok");
        }
    }
}
