//! OpenTelemetry traces: a trace is a run, its root span is the run as a whole, every other span a task.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::collections::BTreeSet;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode};
use serde_json::{Map, Value, json};
use windlass_core::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX, WAIT_MAX};
use windlass_core::run::{FlowSeen, FlowWord, Seen, SeenEnd, TaskSeen, TaskWord};
use windlass_core::{HumanDuration, Time, digest};
use windlass_engine::shard::{Line, Word};
use windlass_store::LogLevel;

use super::value::{AHEAD_MAX, beginning, cut, failure};
use super::{FlowName, Item, Rejected};

/// How deep values of attributes may nest.
const DEPTH_MAX: usize = 20;
/// What the spans of a request say; the places are those of the spans, in order.
pub fn read(request: ExportTraceServiceRequest, now: Time) -> (Vec<Item>, Vec<Rejected>) {
    let (mut items, mut rejected) = (Vec::new(), Vec::new());
    let mut index = 0;
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|it| it.attributes).unwrap_or_default();
        let resource_attributes = object(&attributes);
        let service = resource_attributes
            .get("service.name")
            .and_then(Value::as_str)
            .filter(|name| !name.trim().is_empty() && !name.contains(char::is_control));
        let flow = FlowName {
            key: beginning(service.unwrap_or("unknown_service"), NAME_BYTES_MAX).to_owned(),
            name: None,
        };
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            match words(&span, index, &resource_attributes, now) {
                Ok((run, words)) => items.extend(words.into_iter().map(|word| Item {
                    index,
                    flow: Some(flow.clone()),
                    run: run.clone(),
                    word,
                })),
                Err(one) => rejected.push(one),
            }
            index += 1;
        }
    }
    (items, rejected)
}

fn words(
    span: &Span,
    index: usize,
    resource: &Map<String, Value>,
    now: Time,
) -> Result<(String, Vec<Word>), Rejected> {
    if span.trace_id.len() != 16 || span.span_id.len() != 8 {
        let detail = "a span has a `trace_id` of 16 bytes and a `span_id` of 8";
        return Err(Rejected::new(index, "bad-value", detail));
    }
    let time = |nanos: u64| Time::from_micros(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX));
    let (began, ended) = (time(span.start_time_unix_nano), time(span.end_time_unix_nano));
    // Of a span that does not say when it began only the end is known.
    let began = if span.start_time_unix_nano == 0 { ended } else { began };
    if began.max(ended) > now.plus(AHEAD_MAX) {
        let detail = "the span lies over an hour ahead";
        return Err(Rejected::new(index, "time-out-of-range", detail));
    }
    let run = hex(&span.trace_id);
    let attributes = object(&span.attributes);
    let status = span.status.clone().unwrap_or_default();
    let has_failed = status.code == StatusCode::Error as i32;
    let end = if has_failed { SeenEnd::Failed } else { SeenEnd::Succeeded };
    let error = has_failed.then(|| {
        let thrown = span.events.iter().find(|event| event.name == "exception");
        let thrown = thrown.map(|event| object(&event.attributes)).unwrap_or_default();
        let field = |name: &str| thrown.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = [&*status.message, field("exception.message"), "the span has an error"];
        let message = message.into_iter().find(|message| !message.is_empty());
        let (kind, trace) = (field("exception.type"), field("exception.stacktrace"));
        let told = json!({ "message": message, "type": kind, "stacktrace": trace });
        failure("span_error", &told)
    });
    let is_over = span.end_time_unix_nano > 0;
    let is_root = span.parent_span_id.iter().all(|byte| *byte == 0);
    let path = if is_root { String::new() } else { path_of(span) };
    let mut words = Vec::new();
    if is_root {
        let mut metadata = resource.clone();
        metadata.insert("span".to_owned(), span.name.clone().into());
        let began = FlowSeen {
            at: began,
            what: FlowWord::Started,
            params: Some(Arc::new(attributes.into())),
            metadata: Some(Arc::new(metadata.into())),
            tags: BTreeSet::from(["opentelemetry".to_owned()]),
            ..FlowSeen::default()
        };
        words.push(Word::Seen(Seen::Flow(Box::new(began))));
        if is_over {
            let (what, status) = (FlowWord::Ended, Some(end));
            let ended = FlowSeen { at: ended, what, status, error, ..FlowSeen::default() };
            words.push(Word::Seen(Seen::Flow(Box::new(ended))));
        }
    } else {
        let mut about = Map::new();
        about.insert("span".to_owned(), span.name.clone().into());
        about.insert("parent_span_id".to_owned(), hex(&span.parent_span_id).into());
        if !attributes.is_empty() {
            about.insert("attributes".to_owned(), attributes.into());
        }
        let task = |at, what, error| TaskSeen { at, what, error, ..TaskSeen::default() };
        let seen = TaskSeen {
            about: Some(Arc::new(about.into())),
            ..task(began, TaskWord::Started, None)
        };
        words.push(Word::Seen(Seen::Task { path: path.clone(), seen: Box::new(seen) }));
        if is_over {
            let lasted = HumanDuration(ended.since(began).min(WAIT_MAX));
            let seen =
                TaskSeen { duration: Some(lasted), ..task(ended, TaskWord::Ended(end), error) };
            words.push(Word::Seen(Seen::Task { path: path.clone(), seen: Box::new(seen) }));
        }
    }
    words.extend(span.events.iter().enumerate().map(|(place, event)| {
        let fields = object(&event.attributes);
        let field =
            |name: &str| fields.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
        let text = match field("exception.message") {
            Some(message) => {
                let kind = field("exception.type").unwrap_or(&event.name);
                let trace = field("exception.stacktrace").map(|trace| format!("\n{trace}"));
                format!("{kind}: {message}{}", trace.unwrap_or_default())
            }
            None if fields.is_empty() => event.name.clone(),
            None => format!("{} {}", event.name, Value::Object(fields.clone())),
        };
        let is_bad = event.name == "exception";
        Word::Line(Line {
            at: time(event.time_unix_nano).max(Time::from_micros(0)).min(now.plus(AHEAD_MAX)),
            path: path.clone(),
            attempt: 0,
            level: Some(if is_bad { LogLevel::Error } else { LogLevel::Info }),
            text: cut(text, 16 * 1024),
            id: Some(digest(&format!("{} {place}", hex(&span.span_id)))),
        })
    }));
    Ok((run, words))
}

/// Spans of a trace may have the same name, so the beginning of the id goes with it.
fn path_of(span: &Span) -> String {
    let name: String = span.name.chars().filter(|letter| !letter.is_control()).collect();
    let name = if name.trim().is_empty() { "span" } else { &*name };
    let id = hex(&span.span_id);
    format!("{}:{}", beginning(name, LABEL_BYTES_MAX - 20), &id[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn object(attributes: &[KeyValue]) -> Map<String, Value> {
    let pairs = attributes.iter();
    pairs.map(|pair| (pair.key.clone(), value(pair.value.as_ref(), DEPTH_MAX))).collect()
}

fn value(from: Option<&AnyValue>, depth: usize) -> Value {
    let Some(any) = from.and_then(|any| any.value.as_ref()).filter(|_| depth > 0) else {
        return Value::Null;
    };
    match any {
        any_value::Value::StringValue(text) => text.clone().into(),
        any_value::Value::BoolValue(it) => (*it).into(),
        any_value::Value::IntValue(number) => (*number).into(),
        any_value::Value::DoubleValue(number) => (*number).into(),
        any_value::Value::ArrayValue(list) => {
            list.values.iter().map(|one| value(Some(one), depth - 1)).collect()
        }
        any_value::Value::KvlistValue(list) => {
            let pairs = list.values.iter();
            Value::Object(
                pairs
                    .map(|pair| (pair.key.clone(), value(pair.value.as_ref(), depth - 1)))
                    .collect(),
            )
        }
        any_value::Value::BytesValue(bytes) => hex(bytes).into(),
        _ => Value::Null,
    }
}
