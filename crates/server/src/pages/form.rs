//! A form made from an input's JSON Schema, and the input made from a filled-in form.
//!
//! Every property of an object is a field; what a plain field cannot hold is typed as JSON. An
//! input that is no object is one field of JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::http::problem::{ErrorItem, INVALID_INPUT, Problem};

/// Names of fields begin with it, so that a property may have any name.
const PREFIX: &str = "input.";
/// The field that holds the whole input.
const WHOLE: &str = "json";

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Its name in the form.
    pub name: String,
    /// What it asks for.
    pub label: String,
    /// More about it.
    pub help: Option<String>,
    /// `text`, `lines`, `number`, `checkbox`, `select` or `json`.
    pub control: &'static str,
    /// What it holds.
    pub value: String,
    /// What it may hold, if that is a fixed list.
    pub options: Vec<String>,
    /// Whether it must hold something.
    pub is_required: bool,
    /// What is wrong with what it holds.
    pub error: Option<String>,
}

/// The properties that a form can show one by one.
fn properties(schema: Option<&Value>) -> Option<&Map<String, Value>> {
    let properties = schema?.get("properties")?.as_object()?;
    (!properties.is_empty()).then_some(properties)
}

/// The fields of a form: as they were filled in, or with the schema's first example and defaults.
pub fn fields(schema: Option<&Value>, filled: Option<&BTreeMap<String, String>>) -> Vec<Field> {
    let example = schema.and_then(|schema| schema.pointer("/examples/0"));
    let Some(properties) = properties(schema) else {
        let example = example.map_or_else(|| "{}".to_owned(), Value::to_string);
        let value = filled.and_then(|filled| filled.get(WHOLE).cloned()).unwrap_or(example);
        return vec![Field {
            name: WHOLE.to_owned(),
            label: "Input".to_owned(),
            help: Some("JSON".to_owned()),
            control: "json",
            value,
            options: Vec::new(),
            is_required: false,
            error: None,
        }];
    };
    let required = schema.and_then(|schema| schema.get("required")).and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let field = |(name, property): (&String, &Value)| {
        let control = control(property);
        let key = format!("{PREFIX}{name}");
        let suggestion =
            example.and_then(|example| example.get(name)).or_else(|| property.get("default"));
        let value = match filled {
            Some(filled) => filled.get(&key).cloned().unwrap_or_default(),
            None => suggestion.map_or_else(String::new, |value| shown(value, control)),
        };
        let text = |key: &str| property.get(key).and_then(Value::as_str).map(str::to_owned);
        Field {
            name: key,
            label: text("title").unwrap_or_else(|| name.clone()),
            help: text("description"),
            control,
            value,
            options: options(property),
            is_required: is_required(name) && control != "checkbox",
            error: None,
        }
    };
    properties.iter().map(field).collect()
}

/// Puts what is wrong beside the fields that it is about.
pub fn mark(fields: &mut [Field], problem: &Problem) {
    for field in fields {
        let Some(name) = field.name.strip_prefix(PREFIX) else { continue };
        let missing = format!("`{name}` is missing");
        let is_own = |error: &&ErrorItem| {
            let path = error.path.strip_prefix('/').unwrap_or(&error.path);
            path == name
                || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
                || path.is_empty() && error.message.contains(&missing)
        };
        field.error = problem.errors.iter().find(is_own).map(|error| error.message.clone());
    }
}

fn control(property: &Value) -> &'static str {
    if !options(property).is_empty() {
        return "select";
    }
    match property.get("type").and_then(Value::as_str) {
        Some("string") if property.get("format").is_some_and(|format| format == "multiline") => {
            "lines"
        }
        Some("string") => "text",
        Some("number" | "integer") => "number",
        Some("boolean") => "checkbox",
        _ => "json",
    }
}

/// The texts of an `enum`, if it has nothing but texts.
fn options(property: &Value) -> Vec<String> {
    let values = property.get("enum").and_then(Value::as_array);
    let texts: Option<Vec<String>> = values
        .and_then(|values| values.iter().map(|one| one.as_str().map(str::to_owned)).collect());
    texts.unwrap_or_default()
}

fn shown(value: &Value, control: &str) -> String {
    match (control, value) {
        ("text" | "lines" | "select", Value::String(text)) => text.clone(),
        _ => value.to_string(),
    }
}

/// The input that a filled-in form stands for. Whether it fits the schema is the run's business.
///
/// # Errors
///
/// Names the fields that cannot be read.
pub fn input_of(
    schema: Option<&Value>,
    filled: &BTreeMap<String, String>,
) -> Result<Value, Problem> {
    let mut errors = Vec::new();
    let mut read = |name: &str, text: &str| {
        serde_json::from_str::<Value>(text).unwrap_or_else(|error| {
            let message = format!("this is not JSON: {error}");
            errors.push(ErrorItem { path: name.to_owned(), message, ..ErrorItem::default() });
            Value::Null
        })
    };
    let input = match properties(schema) {
        None => match filled.get(WHOLE).map(|text| text.trim()).filter(|text| !text.is_empty()) {
            Some(text) => read("", text),
            None => Value::Object(Map::new()),
        },
        Some(properties) => {
            let mut input = Map::new();
            for (name, property) in properties {
                let text = filled.get(&format!("{PREFIX}{name}")).map(String::as_str);
                let value = match (control(property), text) {
                    // A box that is not ticked is not sent at all.
                    ("checkbox", text) => Value::Bool(text.is_some()),
                    // An empty field is left out: `required` and `default` say what that means.
                    (_, None | Some("")) => continue,
                    ("number" | "json", Some(text)) => read(&format!("/{name}"), text),
                    (_, Some(text)) => Value::from(text),
                };
                input.insert(name.clone(), value);
            }
            Value::Object(input)
        }
    };
    if errors.is_empty() {
        return Ok(input);
    }
    Err(Problem { errors, ..Problem::new(INVALID_INPUT, "some fields cannot be read") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "who": { "type": "string", "title": "Whom" },
                "n": { "type": "integer", "default": 3 },
                "loud": { "type": "boolean" },
                "size": { "enum": ["s", "l"] },
                "tags": { "type": "array" }
            },
            "required": ["who"],
            "examples": [{ "who": "Ada", "tags": ["x"] }]
        })
    }

    fn filled(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_property_is_a_field_with_a_suggestion() {
        let fields = fields(Some(&schema()), None);
        let shown: Vec<_> =
            fields.iter().map(|field| (field.control, field.value.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("text", "Ada"),
                ("number", "3"),
                ("checkbox", ""),
                ("select", ""),
                ("json", "[\"x\"]")
            ]
        );
        assert_eq!(fields[0].label, "Whom");
        assert!(fields[0].is_required && !fields[1].is_required);
    }

    #[test]
    fn a_filled_in_form_is_an_input() {
        let form = filled(&[
            ("input.who", "3"),
            ("input.n", "4"),
            ("input.loud", "on"),
            ("input.size", ""),
            ("input.tags", "[1]"),
        ]);
        let input = input_of(Some(&schema()), &form).unwrap();
        assert_eq!(input, json!({ "who": "3", "n": 4, "loud": true, "tags": [1] }));
        assert_eq!(input_of(Some(&schema()), &filled(&[])).unwrap(), json!({ "loud": false }));
        assert_eq!(input_of(None, &filled(&[("json", "[1]")])).unwrap(), json!([1]));
        assert_eq!(input_of(None, &filled(&[])).unwrap(), json!({}));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_kept() {
        let form = filled(&[("input.n", "many"), ("input.tags", "[")]);
        let problem = input_of(Some(&schema()), &form).unwrap_err();
        let paths: Vec<&str> = problem.errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["/n", "/tags"]);
        assert_eq!(fields(Some(&schema()), Some(&form))[1].value, "many");
    }
}
