//! Templates as their authors meet them: what is accepted, what is found, and what guards decide.

mod expressions;
mod guardians;
mod policies;
mod reading;
mod round_trip;
mod rules;
mod topology;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::time::Time;

/// The example of the documentation.
const REFUND_DESK: &str = include_str!("../../../../../examples/templates/refund_desk.yaml");

/// The example with one text in the place of another.
fn desk_with(from: &str, to: &str) -> String {
    assert!(REFUND_DESK.contains(from), "{from}");
    REFUND_DESK.replacen(from, to, 1)
}

fn template(text: &str) -> Template {
    let checked = read(text);
    checked.template.unwrap_or_else(|| panic!("{:#?}", checked.findings))
}

/// Findings as `code line:column`.
fn found(text: &str) -> Vec<String> {
    let checked = read(text);
    assert_eq!(checked.is_ok(), checked.error_count() == 0);
    let shown = checked
        .findings
        .iter()
        .map(|one| format!("{} {}:{}", one.code, one.line.unwrap_or(0), one.column.unwrap_or(0)));
    shown.collect()
}

/// The only finding.
fn finding(text: &str) -> Finding {
    let findings = read(text).findings;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.into_iter().next().expect("one finding")
}

/// A unit of work, with what it has.
struct Unit {
    attributes: BTreeMap<String, Value>,
    place: Option<&'static str>,
}

impl Unit {
    fn with(attributes: Value) -> Unit {
        let attributes = attributes.as_object().expect("an object").clone();
        Unit { attributes: attributes.into_iter().collect(), place: None }
    }
}

impl Subject for Unit {
    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }

    fn attribute_names(&self) -> Vec<&str> {
        self.attributes.keys().map(String::as_str).collect()
    }

    fn reserved(&self, name: &str) -> Option<Value> {
        match name {
            "uow_id" => Some("u0".into()),
            "child_count" => Some(3.into()),
            "finished_child_count" => Some(2.into()),
            "status" => Some("ACTIVE".into()),
            "parent_id" => Some(Value::Null),
            _ => None,
        }
    }

    fn created_at(&self) -> Time {
        Time::parse("2026-01-31T12:00:00Z").expect("a time")
    }

    fn place(&self) -> Option<&str> {
        self.place
    }
}

/// An hour after the units of these tests were created.
fn now() -> Time {
    Time::parse("2026-01-31T13:00:00Z").expect("a time")
}

/// A template whose guardian on the component by which the clerk pulls is the given one.
fn guarded(kind: &str, config: &Value) -> String {
    let guardian = json!({ "type": kind, "config": config });
    desk_with(
        "interaction: Manual_Queue, direction: INBOUND}",
        &format!("interaction: Manual_Queue, direction: INBOUND, guardian: {guardian}}}"),
    )
}

/// That guardian's gate.
fn gate(kind: &str, config: &Value) -> Gate {
    let template = template(&guarded(kind, config));
    let component = template.components.iter().find(|one| one.name == "clerk_in");
    component.expect("the component").guardians[0].gate.clone()
}
