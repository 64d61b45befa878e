//! How the arguments of a workflow's tool are its input. A tool takes an object; an input may be
//! anything.

use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::http::problem::{self, Problem};

/// The argument that holds an input that is no object.
const INPUT: &str = "input";
/// Where a schema keeps what it refers to, from its root on.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// The schema of a tool's arguments, for a workflow whose input has this schema. The schema itself, if
/// it is one of an object; else one of an object with the one field `input`.
pub(super) fn of(input: Option<&Value>) -> JsonObject {
    if takes_object(input) {
        let schema = input.and_then(Value::as_object);
        let mut schema = schema.cloned().unwrap_or_default();
        schema.insert("type".to_owned(), "object".into());
        return schema;
    }
    let mut inner = input.cloned().unwrap_or(Value::Bool(true));
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    // References begin at the root, so what they lead to moves there.
    for name in DEFINITIONS {
        let found = inner.as_object_mut().and_then(|inner| inner.shift_remove(name));
        schema.extend(found.map(|found| (name.to_owned(), found)));
    }
    schema.insert("properties".to_owned(), json!({ INPUT: inner }));
    schema.insert("required".to_owned(), json!([INPUT]));
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    schema
}

/// The input that a tool's arguments are.
///
/// # Errors
///
/// `invalid-request` if it should be in `input` and is not. Whether it fits the schema is asked when
/// the run is created, as for every run.
pub(super) fn input_of(
    mut arguments: JsonObject,
    schema: Option<&Value>,
) -> Result<Value, Problem> {
    if takes_object(schema) {
        return Ok(Value::Object(arguments));
    }
    match arguments.shift_remove(INPUT) {
        Some(input) if arguments.is_empty() => Ok(input),
        _ => {
            let message = format!("this workflow takes `{INPUT}` and nothing else");
            Err(Problem::new(problem::INVALID_REQUEST, message))
        }
    }
}

/// Whether an input that fits may be an object, and nothing speaks against asking for one.
fn takes_object(schema: Option<&Value>) -> bool {
    let schema = match schema {
        None | Some(Value::Bool(true)) => return true,
        Some(Value::Object(schema)) => schema,
        Some(_) => return false,
    };
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => schema.is_empty() || schema.contains_key("properties"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_taken_as_it_is() {
        let schema = json!({ "type": "object", "properties": { "n": {} }, "required": ["n"] });
        assert_eq!(Value::Object(of(Some(&schema))), schema);
        let arguments = json!({ "n": 1 }).as_object().unwrap().clone();
        assert_eq!(input_of(arguments, Some(&schema)).unwrap(), json!({ "n": 1 }));
        for open in [None, Some(json!(true)), Some(json!({})), Some(json!({"type": ["object"]}))] {
            assert_eq!(Value::Object(of(open.as_ref())), json!({ "type": "object" }), "{open:?}");
        }
    }

    #[test]
    fn anything_else_is_the_field_input() {
        let schema = json!({ "$ref": "#/$defs/n", "$defs": { "n": { "type": "integer" } } });
        assert_eq!(
            Value::Object(of(Some(&schema))),
            json!({
                "type": "object",
                "$defs": { "n": { "type": "integer" } },
                "properties": { "input": { "$ref": "#/$defs/n" } },
                "required": ["input"],
                "additionalProperties": false,
            })
        );
        let input = |arguments: Value| {
            let arguments = arguments.as_object().unwrap().clone();
            input_of(arguments, Some(&schema)).map_err(|problem| problem.code.code)
        };
        assert_eq!(input(json!({ "input": 4 })), Ok(json!(4)));
        assert_eq!(input(json!({})), Err("invalid-request"));
        assert_eq!(input(json!({ "input": 4, "n": 1 })), Err("invalid-request"));
    }
}
