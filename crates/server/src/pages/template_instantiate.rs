//! The form that makes an instance of a template.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value};
use windlass_core::limits::LABEL_BYTES_MAX;

use super::error::PageProblem;
use super::instance::{self, Query, UnitForm};
use super::template::{Form, find, show};
use crate::access::Caller;
use crate::api::query::{Named, unreadable};
use crate::app::Shared;
use crate::http::problem::Problem;
use crate::units::create::{WantedInstance, WantedUnit, add_unit, instantiate};

/// A form as a browser sends it.
pub(super) type Filled = Result<axum::Form<Vec<(String, String)>>, FormRejection>;

/// What was filled in, by field.
///
/// # Errors
///
/// That the body is no form.
pub(super) fn fields_of(filled: Filled) -> Result<BTreeMap<String, String>, Problem> {
    let filled = filled.map_err(|error| unreadable(&error.body_text()))?;
    Ok(filled.0.into_iter().collect())
}

pub(super) async fn create(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let row = find(&app, caller.project(), &word).await?;
    let wanted = wanted(&row.name, &filled);
    let made = match wanted {
        Ok((wanted, context)) => {
            instantiate(&app, &caller, wanted).await.map(|instance| (instance, context))
        }
        Err(problem) => Err(problem),
    };
    let (instance, context) = match made {
        Ok(made) => made,
        // What was typed must not be lost with the refusal.
        Err(problem) => {
            let status = problem.status();
            let form = Form { refused: Some(problem.into()), ..Form::filled(&filled) };
            return Ok((status, show(&app, &caller, row, None, form).await?).into_response());
        }
    };
    let place = format!("/instances/{}", instance.id());
    if context.is_empty() {
        return Ok(Redirect::to(&place).into_response());
    }
    let wanted = WantedUnit { attributes: context, ..WantedUnit::default() };
    match add_unit(&app, &caller, &instance, wanted).await {
        Ok(_) => Ok(Redirect::to(&place).into_response()),
        // The instance is there: its page has a form for the unit as well.
        Err(problem) => {
            let status = problem.status();
            let attributes = filled.get("context").cloned().unwrap_or_default();
            let form =
                UnitForm { attributes, refused: Some(problem.into()), ..UnitForm::default() };
            let page = instance::show(&app, &caller, &instance, Query::default(), form).await?;
            Ok((status, page).into_response())
        }
    }
}

/// What is to be made, and the context that its first unit begins with.
fn wanted(
    template: &str,
    filled: &BTreeMap<String, String>,
) -> Result<(WantedInstance, Map<String, Value>), Problem> {
    let text = |name: &str| {
        let text = filled.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let context = attributes("context", filled)?;
    let name = text("name");
    let is_bad = |name: &String| name.len() > LABEL_BYTES_MAX || name.contains(char::is_control);
    if name.as_ref().is_some_and(is_bad) {
        let message =
            format!("a name has at most {LABEL_BYTES_MAX} bytes and no control characters");
        return Err(Problem::parameter("name", message));
    }
    let wanted = WantedInstance {
        template: template.to_owned(),
        name,
        description: text("description"),
        ..WantedInstance::default()
    };
    Ok((wanted, context))
}

/// A field that holds an object; none if it is empty.
///
/// # Errors
///
/// That it holds something else.
pub(super) fn attributes(
    name: &str,
    filled: &BTreeMap<String, String>,
) -> Result<Map<String, Value>, Problem> {
    let text = filled.get(name).map_or("", |text| text.trim());
    if text.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(attributes)) => Ok(attributes),
        Ok(_) => {
            Err(Problem::parameter(name, "a JSON object is expected, such as `{\"total\": 12}`"))
        }
        Err(error) => Err(Problem::parameter(name, format!("this is not JSON: {error}"))),
    }
}
