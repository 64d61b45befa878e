//! Events of the flow observer: what its library's bus and log lines say.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use windlass_core::limits::{JSON_DEPTH_MAX, LABEL_BYTES_MAX, LABEL_COUNT_MAX, NAME_BYTES_MAX};
use windlass_core::run::{FlowSeen, FlowWord, Seen, SeenEnd, TaskSeen, TaskWord};
use windlass_core::{Time, digest};
use windlass_engine::shard::{Line, Word};
use windlass_store::LogLevel;

use super::value::{Stamp, cut, duration, failure, name, text};
use super::{FlowName, Item, Rejected};
use crate::http::problem::short;

/// A log line's text, in bytes, as everywhere.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// An event as it is sent. Fields that are not known say nothing.
#[derive(Debug, Deserialize)]
struct Event {
    event: Option<String>,
    ts: Option<Stamp>,
    #[serde(default, deserialize_with = "text")]
    event_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    run_id: Option<String>,
    flow: Option<String>,
    #[serde(default, deserialize_with = "text")]
    flow_id: Option<String>,
    flow_key: Option<String>,
    task: Option<String>,
    task_key: Option<String>,
    #[serde(default, deserialize_with = "text")]
    node: Option<String>,
    status: Option<String>,
    duration_ms: Option<f64>,
    error: Option<Value>,
    attempt: Option<u32>,
    max: Option<u32>,
    priority: Option<i64>,
    tags: Option<Value>,
    params: Option<Arc<Value>>,
    metadata: Option<Arc<Value>>,
    #[serde(alias = "output")]
    result: Option<Arc<Value>>,
    failure_policy: Option<String>,
    level: Option<Value>,
    message: Option<Value>,
    payload: Option<Value>,
}

/// What an event says.
///
/// # Errors
///
/// Why it says nothing that counts.
pub fn read(index: usize, text: &[u8], now: Time) -> Result<Item, Rejected> {
    if text.first().is_some_and(|first| matches!(first, b'[')) {
        // It would be taken for the fields in their order.
        return Err(Rejected::new(index, "bad-value", "an event is an object, and no list"));
    }
    let event: Event = serde_json::from_slice(text).map_err(|error| match error.is_data() {
        true => Rejected::new(index, "bad-value", wrong_field(text)),
        false => Rejected::new(index, "bad-json", format!("the event is no JSON: {error}")),
    })?;
    event.item(index, now)
}

/// Which field has a value of another type, in the words of whoever wrote it. That is looked for once
/// it is known that there is one.
fn wrong_field(text: &[u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let Err(error) = serde_path_to_error::deserialize::<_, Event>(&mut reader) else {
        return "the event has a field of another type".to_owned();
    };
    let (path, said) = (error.path().to_string(), error.inner().to_string());
    // An event is a line: where in it says less than which field.
    let said = said.split(" at line ").next().unwrap_or_default();
    let said = said.replace("f64", "a number").replace("u32", "a whole number from 0");
    let said = said.replace("i64", "a whole number");
    match path == "." {
        true => format!("an event is an object: {said}"),
        false => format!("`{}`: {said}", short(&path)),
    }
}

impl Event {
    fn item(mut self, index: usize, now: Time) -> Result<Item, Rejected> {
        let missing =
            |field: &str| Rejected::new(index, "missing-field", format!("there is no `{field}`"));
        let what = self.event.take().ok_or_else(|| missing("event"))?;
        let run = name(index, "run_id", self.run_id.take(), LABEL_BYTES_MAX)?;
        let run = run.ok_or_else(|| missing("run_id"))?;
        let flow = self.flow(index)?;
        // Sent again, it would get another time.
        let once = self.event_id.as_deref().filter(|_| self.ts.is_none()).map(digest);
        let at = match &self.ts {
            Some(stamp) => stamp.time(index, now)?,
            None => now,
        };
        for (field, value) in
            [("params", &self.params), ("metadata", &self.metadata), ("result", &self.result)]
        {
            if value
                .as_ref()
                .is_some_and(|value| windlass_core::json::depth(value) > JSON_DEPTH_MAX)
            {
                let detail = format!("`{field}` nests deeper than {JSON_DEPTH_MAX}");
                return Err(Rejected::new(index, "bad-value", detail));
            }
        }
        let word = match &*what {
            "flow_started" => self.flow_word(index, at, FlowWord::Started, None)?,
            // It is there, and has nothing to say.
            "flow_alive" => self.flow_word(index, at, FlowWord::Noted, None)?,
            "flow_completed" => {
                let status = self.said_status(index)?;
                self.flow_word(index, at, FlowWord::Ended, status)?
            }
            "flow_succeeded" => {
                self.flow_word(index, at, FlowWord::Ended, Some(SeenEnd::Succeeded))?
            }
            "flow_failed" | "flow_err" => {
                self.flow_word(index, at, FlowWord::Ended, Some(SeenEnd::Failed))?
            }
            "flow_cancelled" => {
                self.flow_word(index, at, FlowWord::Ended, Some(SeenEnd::Cancelled))?
            }
            "task_started" => self.task_word(index, at, TaskWord::Started)?,
            "task_ok" | "task_succeeded" | "task_completed" => {
                self.task_word(index, at, TaskWord::Ended(SeenEnd::Succeeded))?
            }
            "task_err" | "task_failed" => {
                self.task_word(index, at, TaskWord::Ended(SeenEnd::Failed))?
            }
            "task_skipped" => self.task_word(index, at, TaskWord::Ended(SeenEnd::Skipped))?,
            "task_cancelled" => self.task_word(index, at, TaskWord::Ended(SeenEnd::Cancelled))?,
            // The library's own event does not say of which node.
            "task_retry" if self.node.is_none() => self.retry_line(index, at)?,
            "task_retry" => self.task_word(index, at, TaskWord::Retried)?,
            "task_log" | "flow_log" | "log" => self.line(index, at)?,
            "middleware_error" => {
                let error = self.error.take().unwrap_or_default();
                self.level = Some("error".into());
                self.message = Some(format!("middleware: {}", as_text(&error)).into());
                self.line(index, at)?
            }
            other => {
                let detail = format!("there is no event `{}`", short(other));
                return Err(Rejected::new(index, "unknown-event", detail));
            }
        };
        let word = match (word, once) {
            (Word::Seen(seen), Some(id)) => Word::Once(seen, id),
            (word, _) => word,
        };
        Ok(Item { index, flow, run, word })
    }

    fn flow(&mut self, index: usize) -> Result<Option<FlowName>, Rejected> {
        let label = name(index, "flow", self.flow.take(), NAME_BYTES_MAX)?;
        let key = name(index, "flow_key", self.flow_key.take(), NAME_BYTES_MAX)?;
        let id = name(index, "flow_id", self.flow_id.take(), NAME_BYTES_MAX)?;
        let Some(key) = key.or(id) else {
            return Ok(label.map(|key| FlowName { key, name: None }));
        };
        let label = label.filter(|label| *label != key);
        Ok(Some(FlowName { key, name: label }))
    }

    /// How a flow has ended, if the event says so.
    fn said_status(&self, index: usize) -> Result<Option<SeenEnd>, Rejected> {
        let Some(status) = &self.status else {
            return Ok(self
                .error
                .as_ref()
                .filter(|error| !error.is_null())
                .map(|_| SeenEnd::Failed));
        };
        Ok(Some(match &*status.to_ascii_lowercase() {
            "succeeded" | "success" | "completed" | "ok" => SeenEnd::Succeeded,
            "failed" | "failure" | "error" => SeenEnd::Failed,
            "cancelled" | "canceled" | "aborted" => SeenEnd::Cancelled,
            _ => {
                let detail = format!(
                    "`status` is SUCCEEDED, FAILED or CANCELLED, and not `{}`",
                    short(status)
                );
                return Err(Rejected::new(index, "bad-value", detail));
            }
        }))
    }

    fn flow_word(
        self,
        index: usize,
        at: Time,
        what: FlowWord,
        status: Option<SeenEnd>,
    ) -> Result<Word, Rejected> {
        let said = self.error.as_ref().filter(|error| !error.is_null());
        let error = said.filter(|_| status == Some(SeenEnd::Failed));
        let policy = self.metadata.as_ref().and_then(|it| it.get("failure_policy")?.as_str());
        let policy = self.failure_policy.as_deref().or(policy);
        Ok(Word::Seen(Seen::Flow(Box::new(FlowSeen {
            at,
            what,
            status,
            error: error.map(|error| failure("flow_failed", error)),
            tolerates: policy.is_some_and(|policy| policy.eq_ignore_ascii_case("continue")),
            tags: tags(index, self.tags.as_ref())?,
            output: self.result,
            params: self.params,
            metadata: self.metadata,
        }))))
    }

    fn task_word(mut self, index: usize, at: Time, what: TaskWord) -> Result<Word, Rejected> {
        let path = self.node(index)?.ok_or_else(|| {
            Rejected::new(index, "missing-field", "there is no `node`, and no `task` either")
        })?;
        let said = self.error.as_ref().filter(|error| !error.is_null());
        let error = match what {
            TaskWord::Ended(SeenEnd::Failed) => {
                let unsaid = json!("the task has failed");
                Some(failure("task_failed", said.unwrap_or(&unsaid)))
            }
            // Why the attempt before the next one has failed.
            TaskWord::Retried => said.map(|error| failure("attempt_failed", error)),
            _ => None,
        };
        let duration = duration(index, self.duration_ms)?;
        let attempt = self.attempt.unwrap_or(0);
        let about = self.about(index)?;
        let output = self.result;
        let restates = false;
        let seen = TaskSeen { at, what, attempt, duration, error, output, about, restates };
        Ok(Word::Seen(Seen::Task { path, seen: Box::new(seen) }))
    }

    /// The node; without one, the task stands for it.
    fn node(&mut self, index: usize) -> Result<Option<String>, Rejected> {
        let node = name(index, "node", self.node.take(), LABEL_BYTES_MAX)?;
        let task = name(index, "task", self.task.clone(), LABEL_BYTES_MAX)?;
        Ok(node.or(task))
    }

    /// What a task is, if the event says more than its name.
    fn about(&mut self, index: usize) -> Result<Option<Arc<Value>>, Rejected> {
        let mut about = Map::new();
        about.extend(self.task.take().map(|task| ("task".to_owned(), task.into())));
        about.extend(self.task_key.take().map(|key| ("task_key".to_owned(), key.into())));
        about.extend(self.priority.map(|priority| ("priority".to_owned(), priority.into())));
        let tags = tags(index, self.tags.as_ref())?;
        if !tags.is_empty() {
            about.insert("tags".to_owned(), tags.into_iter().collect());
        }
        for (field, value) in [("params", &self.params), ("metadata", &self.metadata)] {
            about.extend(value.as_ref().map(|value| (field.to_owned(), Value::clone(value))));
        }
        Ok((!about.is_empty()).then(|| Arc::new(about.into())))
    }

    fn retry_line(mut self, index: usize, at: Time) -> Result<Word, Rejected> {
        let task = self.task.take().unwrap_or_else(|| "a task".to_owned());
        let attempt = self.attempt.unwrap_or(1);
        let of = self.max.map(|max| format!(" of {max}")).unwrap_or_default();
        self.message = Some(format!("retry of `{}` (attempt {attempt}{of})", short(&task)).into());
        self.level = Some("warning".into());
        self.line(index, at)
    }

    fn line(mut self, index: usize, at: Time) -> Result<Word, Rejected> {
        let path = self.node(index)?.unwrap_or_default();
        let Some(message) = self.message.take() else {
            return Err(Rejected::new(index, "missing-field", "there is no `message`"));
        };
        let mut text = as_text(&message);
        if let Some(payload) = self.payload.take().filter(|payload| !payload.is_null()) {
            text.push(' ');
            text.push_str(&payload.to_string());
        }
        let level = match &self.level {
            None | Some(Value::Null) => None,
            Some(Value::String(word)) => Some(LogLevel::parse(word).unwrap_or(LogLevel::Info)),
            Some(number) => number.as_i64().and_then(LogLevel::of_number),
        };
        let id = self.event_id.as_deref().map(digest);
        let (text, attempt) = (cut(text, LINE_BYTES_MAX), self.attempt.unwrap_or(0));
        Ok(Word::Line(Line { at, path, attempt, level, text, id }))
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Tags: a list of words, or words with commas between.
fn tags(index: usize, value: Option<&Value>) -> Result<BTreeSet<String>, Rejected> {
    let bad = || {
        let detail = format!(
            "`tags` are at most {LABEL_COUNT_MAX} words of at most {LABEL_BYTES_MAX} bytes"
        );
        Rejected::new(index, "bad-value", detail)
    };
    let words: Vec<&str> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.split(',').map(str::trim).collect(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(bad)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(bad()),
    };
    let tags: BTreeSet<String> =
        words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if tags.len() > LABEL_COUNT_MAX || tags.iter().any(|tag| tag.len() > LABEL_BYTES_MAX) {
        return Err(bad());
    }
    Ok(tags)
}
