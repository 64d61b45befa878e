//! What a model and its tools have said in a step, from the records of its attempts.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;
use windlass_core::run::Fact;
use windlass_store::{Store, StoreError};

use super::render::json;
use super::usage::grouped;

/// Events that are looked through for records, and the bytes of them.
const EVENTS_READ_MAX: usize = 5_000;
const BYTES_READ_MAX: usize = 8 * 1024 * 1024;
/// Words of one entry that are shown. The step's events have all of them.
const CHARS_SHOWN: usize = 20_000;

/// One word of the conversation.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Entry {
    /// `system`, `user`, `model`, `tool` or `person`.
    who: &'static str,
    /// The tool's name, or the turn's number.
    label: String,
    /// What was said.
    text: String,
    /// What the model wants to have done.
    calls: Vec<Call>,
    /// What it took: `1,204 in, 88 out`.
    took: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Call {
    name: String,
    arguments: String,
}

/// The conversation of a step so far, if its kind has any, and how many answers of it are journaled.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    (run_id, path, from): (Uuid, &str, u64),
    kind: &str,
    input: Option<&Value>,
) -> Result<(Vec<Entry>, u64), StoreError> {
    if !matches!(kind, "agent" | "llm") {
        return Ok((Vec::new(), 0));
    }
    let mut entries = begun(input);
    let mut turn_count = 0;
    let page = store.events(run_id, from.saturating_sub(1), EVENTS_READ_MAX, BYTES_READ_MAX)?;
    for event in &page.items {
        if let Fact::StepRecorded { path: of, key, value, .. } = &event.event.fact
            && of == path
        {
            turn_count += u64::from(key.starts_with("turn-"));
            entries.extend(entry(key, value, &entries));
        }
    }
    Ok((entries, turn_count))
}

/// What the config of a step has said before anybody answers.
fn begun(input: Option<&Value>) -> Vec<Entry> {
    let said = |who, name: &str| {
        let value = input?.get(name).filter(|value| !value.is_null())?;
        Some(Entry::new(who, "", words(value)))
    };
    let messages = input.and_then(|input| input.get("messages")?.as_array());
    let messages = messages.into_iter().flatten().filter_map(|message| {
        let who = match message["role"].as_str()? {
            "system" => "system",
            "assistant" => "model",
            "tool" => "tool",
            _ => "user",
        };
        Some(Entry::new(who, "", words(&message["content"])))
    });
    said("system", "system").into_iter().chain(said("user", "prompt")).chain(messages).collect()
}

/// What a record says. `before` knows which call an outcome belongs to.
fn entry(key: &str, value: &Value, before: &[Entry]) -> Option<Entry> {
    let (what, rest) = key.split_once('-')?;
    match what {
        "turn" => {
            let calls = value["tool_calls"].as_array().into_iter().flatten().map(|call| Call {
                name: call["name"].as_str().unwrap_or_default().to_owned(),
                arguments: shortened(json(&call["arguments"])),
            });
            let count = |name: &str| value["usage"][name].as_i64().unwrap_or_default();
            let (read, wrote) = (grouped(count("input_tokens")), grouped(count("output_tokens")));
            Some(Entry {
                calls: calls.collect(),
                took: Some(format!("{read} tokens in, {wrote} out")),
                ..Entry::new("model", &format!("turn {rest}"), words(&value["text"]))
            })
        }
        "tool" => Some(Entry::new("tool", &called(rest, before)?, words(value))),
        "approval" => {
            let decided = match value["approved"].as_bool() {
                Some(true) => "approved",
                _ => "refused",
            };
            let comment = value["comment"].as_str().filter(|comment| !comment.is_empty());
            let text = comment
                .map_or_else(|| decided.to_owned(), |comment| format!("{decided}: {comment}"));
            Some(Entry::new("person", &called(rest, before)?, text))
        }
        _ => None,
    }
}

/// The name of the tool whose call has a place such as `2-0`: in the second turn the first.
fn called(place: &str, entries: &[Entry]) -> Option<String> {
    let (turn, number) = place.split_once('-')?;
    let label = format!("turn {turn}");
    let turn = entries.iter().find(|entry| entry.label == label)?;
    turn.calls.get(number.parse::<usize>().ok()?).map(|call| call.name.clone())
}

impl Entry {
    /// Whether it asks for tools.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    fn new(who: &'static str, label: &str, text: String) -> Entry {
        let (label, calls) = (label.to_owned(), Vec::new());
        Entry { who, label, text: shortened(text), calls, took: None }
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => json(other),
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(CHARS_SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// The last words of an answer that is being given: it grows, and its end is what is new.
pub(super) fn last_words(text: &str) -> String {
    let count = text.chars().count();
    match count > CHARS_SHOWN {
        true => format!("… {}", text.chars().skip(count - CHARS_SHOWN).collect::<String>()),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_told_as_a_conversation() {
        let input = json!({ "system": "Be kind.", "prompt": { "task": 1 }, "model": "m" });
        let mut entries = begun(Some(&input));
        let records = [
            ("usage-1", json!({})),
            (
                "turn-1",
                json!({ "text": "Let me see.", "usage": { "input_tokens": 7, "output_tokens": 3 },
                        "tool_calls": [{ "name": "grep", "arguments": { "pattern": "x" } }] }),
            ),
            ("approval-1-0", json!({ "approved": true, "comment": "go on" })),
            ("tool-1-0", json!("a.txt:1:x")),
        ];
        for (key, value) in &records {
            entries.extend(entry(key, value, &entries));
        }
        let told: Vec<_> =
            entries.iter().map(|one| (one.who, one.label.as_str(), one.text.as_str())).collect();
        assert_eq!(
            told,
            [
                ("system", "", "Be kind."),
                ("user", "", "{\n  \"task\": 1\n}"),
                ("model", "turn 1", "Let me see."),
                ("person", "grep", "approved: go on"),
                ("tool", "grep", "a.txt:1:x"),
            ]
        );
        assert_eq!(entries[2].took.as_deref(), Some("7 tokens in, 3 out"));
    }

    #[test]
    fn a_long_answer_shows_its_end() {
        let shown = last_words(&format!("{}end", "é".repeat(CHARS_SHOWN)));
        assert!(shown.starts_with("… é") && shown.ends_with("end"));
    }
}
