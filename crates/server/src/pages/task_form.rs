//! The form of a task: of a step, what its `form` says; of a unit of work, its attributes and what may
//! be added to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use windlass_core::run::Outcome;
use windlass_core::run::token::Unit;
use windlass_core::schema::Schema;

use super::form::input_of;
use super::subject::Row;
use super::task::{Of, Task};
use crate::api::tasks::complete::{ChildBody, unit_done};
use crate::app::App;
use crate::http::problem::{self, Problem};

/// A text with more letters is shown in several lines.
const LINE_LENGTH: usize = 80;

/// Whether people see an attribute and may write it: others are of the engine's own.
fn is_open(name: &str) -> bool {
    !name.starts_with('_')
}

/// A schema of what a unit has now, so that a form can be made of it.
pub(super) fn schema(unit: &Unit) -> Value {
    let property = |value: &Value| match value {
        Value::String(text) if text.contains('\n') || text.chars().count() > LINE_LENGTH => {
            json!({ "type": "string", "format": "multiline", "default": value })
        }
        Value::String(_) => json!({ "type": "string", "default": value }),
        Value::Number(_) => json!({ "type": "number", "default": value }),
        Value::Bool(_) => json!({ "type": "boolean", "default": value }),
        _ => json!({ "default": value }),
    };
    let own = unit.attributes.iter().filter(|(name, _)| is_open(name));
    let properties: Map<String, Value> =
        own.map(|(name, one)| (name.to_string(), property(&one.value))).collect();
    json!({ "type": "object", "properties": properties })
}

/// The attributes of a unit to be looked at.
pub(super) fn rows(unit: &Unit) -> Vec<Row> {
    unit.attributes.iter().map(|(name, one)| Row::of((&name.to_string(), &*one.value))).collect()
}

/// What a filled-in form says has come of a task.
///
/// # Errors
///
/// Names the fields that are not right.
pub(super) fn outcome(
    app: &App,
    task: &Task,
    filled: &BTreeMap<String, String>,
) -> Result<Outcome, Problem> {
    match &task.of {
        Of::Step { form, .. } => {
            let output = input_of(form.as_ref(), filled)?;
            if let Some(form) = form {
                check(form, &output)?;
            }
            Ok(Outcome::Output(Arc::new(output)))
        }
        Of::Unit(view) => {
            let attributes = attributes(&view.unit, filled)?;
            let reasoning = filled.get("reasoning").map(|text| text.trim().to_owned());
            let reasoning = reasoning.filter(|text| !text.is_empty());
            Ok(unit_done(app, attributes, reasoning, children(filled)?))
        }
    }
}

/// Whether what was filled in fits. What the step's author has made no schema of fits.
fn check(form: &Value, output: &Value) -> Result<(), Problem> {
    let Ok(schema) = Schema::compile(form) else { return Ok(()) };
    let violations = schema.violations(output);
    if violations.is_empty() {
        return Ok(());
    }
    let detail = problem::summary(&violations).unwrap_or_default();
    Err(Problem::violations(problem::INVALID_REQUEST, &detail, violations))
}

/// The attributes that have another value now, and those that are new.
fn attributes(
    unit: &Unit,
    filled: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, Problem> {
    let schema = schema(unit);
    let Value::Object(typed) = input_of(Some(&schema), filled)? else { return Ok(BTreeMap::new()) };
    let mut all: BTreeMap<String, Value> = typed.into_iter().collect();
    for (name, one) in unit.attributes.iter().filter(|(name, _)| is_open(name)) {
        // A text that was emptied is an empty text; of other fields, nothing means nothing new.
        let is_empty = filled.get(&format!("input.{name}")).is_some_and(String::is_empty);
        if is_empty && one.value.is_string() {
            all.insert(name.to_string(), Value::from(""));
        }
        if all.get(&**name) == Some(&*one.value) {
            all.remove(&**name);
        }
    }
    let more = filled.get("more").map_or("", |text| text.trim());
    if !more.is_empty() {
        match serde_json::from_str(more) {
            Ok(Value::Object(more)) => all.extend(more),
            Ok(_) => return Err(Problem::parameter("more", "an object is expected")),
            Err(error) => {
                return Err(Problem::parameter("more", format!("this is not JSON: {error}")));
            }
        }
    }
    Ok(all)
}

/// Whether a schema names properties, which are fields each.
pub(super) fn has_fields(schema: Option<&Value>) -> bool {
    let properties = schema.and_then(|schema| schema["properties"].as_object());
    properties.is_some_and(|properties| !properties.is_empty())
}

/// The parts that a unit is split into.
fn children(filled: &BTreeMap<String, String>) -> Result<Vec<ChildBody>, Problem> {
    let text = filled.get("children").map_or("", |text| text.trim());
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let wrong = |message: String| Problem::parameter("children", message);
    let parts: Vec<BTreeMap<String, Value>> = serde_json::from_str(text).map_err(|error| {
        wrong(format!("a list of objects is expected, such as [{{\"total\": 12}}]: {error}"))
    })?;
    Ok(parts.into_iter().map(|attributes| ChildBody { attributes }).collect())
}
