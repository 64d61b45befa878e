//! What becomes of an answer.

use serde_json::{Map, Value, json};
use windlass_core::expr::Type;
use windlass_core::schema::{Schema, Violation};

use crate::llm::Reply;

/// Why an answer cannot be used.
#[derive(Debug)]
pub(crate) enum Unfit {
    NoJson,
    Violations(Vec<Violation>),
}

impl Unfit {
    /// What the model is told.
    pub(crate) fn told(&self) -> String {
        let wrong = match self {
            Unfit::NoJson => "it is not JSON".to_owned(),
            Unfit::Violations(violations) => crate::prompt::listed(violations),
        };
        format!(
            "That answer does not fit: {wrong}. Answer again, with nothing but JSON that fits the \
             schema."
        )
    }

    /// What people are told.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Unfit::NoJson => "the answer is not JSON".to_owned(),
            Unfit::Violations(violations) => {
                format!("the answer does not fit: {}", crate::prompt::listed(violations))
            }
        }
    }
}

/// Makes the output of an answer. One that only calls tools need not fit a schema.
pub(crate) fn read(reply: &Reply, schema: Option<&Schema>) -> Result<Value, Unfit> {
    let parsed = json_in(&reply.text);
    let parsed = match schema {
        Some(schema) if reply.tool_calls.is_empty() => {
            Some(fitting(parsed.ok_or(Unfit::NoJson)?, schema)?)
        }
        _ => parsed,
    };
    let mut output = match &parsed {
        Some(Value::Object(fields)) => fields.clone(),
        _ => Map::new(),
    };
    output.insert("text".to_owned(), Value::from(reply.text.as_str()));
    output.insert("json".to_owned(), parsed.unwrap_or(Value::Null));
    for (name, value) in [
        ("model", json!(reply.usage.model)),
        ("usage", json!(reply.usage)),
        ("finish", json!(reply.finish)),
        ("tool_calls", json!(reply.tool_calls)),
    ] {
        output.entry(name).or_insert(value);
    }
    Ok(Value::Object(output))
}

/// The JSON in an answer. Many models put a fence around it.
fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let text = inner.map_or(text, |inner| inner.strip_prefix("json").unwrap_or(inner).trim());
    // A lone number or word is a text that happens to be JSON, unless a schema asks for it.
    serde_json::from_str(text).ok()
}

/// The value, if it fits. Where providers hold a model to a schema, they have it say null for what
/// it would leave out, so such a null is left out again.
fn fitting(value: Value, schema: &Schema) -> Result<Value, Unfit> {
    let violations = schema.violations(&value);
    if violations.is_empty() {
        return Ok(value);
    }
    let mut without = value;
    for violation in &violations {
        let Some((parent, name)) = violation.path.rsplit_once('/') else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        if let Some(Value::Object(fields)) = without.pointer_mut(parent)
            && fields.get(&name).is_some_and(Value::is_null)
        {
            fields.shift_remove(&name);
        }
    }
    if schema.violations(&without).is_empty() {
        Ok(without)
    } else {
        Err(Unfit::Violations(violations))
    }
}

/// The type of the output: its own fields, and those of an answer that has to fit a schema.
pub(crate) fn output_type(schema: Option<&Value>) -> Type {
    let own = Type::closed([
        ("text", Type::Text),
        ("json", schema.map_or(Type::Any, Type::of_schema)),
        ("model", Type::Text),
        ("usage", Type::object()),
        ("finish", Type::Text),
        ("tool_calls", Type::List(Box::new(Type::object()))),
    ]);
    let Type::Object { fields: mut all, .. } = own else { return Type::Any };
    match schema.map(Type::of_schema) {
        Some(Type::Object { fields, open }) => {
            for (name, of) in
                fields.into_iter().filter(|(name, _)| name != "text" && name != "json")
            {
                all.insert(name, of);
            }
            Type::Object { fields: all, open }
        }
        _ => Type::Object { fields: all, open: true },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::{Finish, Message, Role, Usage};

    fn reply(text: &str) -> Reply {
        let usage = Usage {
            model: "m".into(),
            provider: "p".into(),
            input_tokens: 1,
            output_tokens: 2,
            cached_tokens: 0,
            latency_ms: 3,
            cost_micros: None,
        };
        let message = Message::new(Role::Assistant, text);
        let text = text.to_owned();
        Reply { text, tool_calls: Vec::new(), finish: Finish::Stop, message, usage }
    }

    #[test]
    fn the_fields_of_an_answer_are_those_of_the_output() {
        let output = read(&reply("Hello"), None).unwrap();
        assert_eq!((&output["text"], &output["json"]), (&json!("Hello"), &Value::Null));
        assert_eq!((&output["model"], &output["finish"]), (&json!("m"), &json!("stop")));
        assert_eq!(output["usage"]["input_tokens"], 1);
        let text = r#"{"a": 1, "text": "own", "usage": "own", "json": "own"}"#;
        let output = read(&reply(text), None).unwrap();
        assert_eq!((&output["a"], &output["usage"]), (&json!(1), &json!("own")));
        assert_eq!((&output["text"], &output["json"]["text"]), (&json!(text), &json!("own")));
        let output = read(&reply("```json\n[1]\n```"), None).unwrap();
        assert_eq!((&output["json"], output.get("a")), (&json!([1]), None));
    }

    #[test]
    fn an_answer_has_to_fit_its_schema() {
        let schema = json!({
            "type": "object",
            "properties": { "a": { "type": "integer" }, "b": { "type": "string" } },
            "required": ["a"],
        });
        let schema = Schema::compile(&schema).unwrap();
        let read = |text: &str| read(&reply(text), Some(&schema));
        assert_eq!(read(r#"{"a": 1, "b": null}"#).unwrap()["json"], json!({ "a": 1 }));
        assert_eq!(read("Hello").unwrap_err().sentence(), "the answer is not JSON");
        let unfit = read(r#"{"a": null, "b": 5}"#).unwrap_err();
        assert!(unfit.told().contains("/a: expected integer, got null"), "{}", unfit.told());
        assert!(unfit.told().contains("/b: expected string, got number"), "{}", unfit.told());
    }

    #[test]
    fn an_output_has_a_type_before_there_is_one() {
        let schema = json!({
            "type": "object",
            "properties": { "team": { "type": "string" }, "text": { "type": "integer" } },
            "additionalProperties": false,
        });
        let Type::Object { fields, open } = output_type(Some(&schema)) else { panic!() };
        assert_eq!(
            (fields.get("team"), fields.get("text")),
            (Some(&Type::Text), Some(&Type::Text))
        );
        assert!(!open && fields.contains_key("usage"));
        assert!(matches!(output_type(None), Type::Object { open: true, .. }));
    }
}
