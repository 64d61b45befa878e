//! JSON Schema (draft 2020-12): compiled once, asked often, answering with every violation.
//!
//! A schema may only refer to itself. A `$ref` to a file or a URL is refused when the schema is
//! compiled, because a definition comes from outside and must not make the server read anything.

use std::error::Error;
use std::fmt;

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, UrlLoader, ValidationError};
use serde_json::Value;

use crate::finding::nearest;
use crate::json;

/// Where the one document of every schema is said to live. Nothing is ever loaded from there.
const LOCATION: &str = "urn:windlass:schema";

/// A compiled JSON Schema.
pub struct Schema {
    compiled: Schemas,
    index: SchemaIndex,
    source: Value,
}

/// One way in which a value does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer of the value, or of the unexpected field.
    pub path: String,
    /// What the schema wanted, as a sentence without a full stop.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
    /// Whether the value is a field the schema does not know.
    pub is_unknown_field: bool,
}

impl Schema {
    /// Compiles `source`.
    ///
    /// # Errors
    ///
    /// Says why it is not a JSON Schema, or that it refers to something outside itself.
    pub fn compile(source: &Value) -> Result<Schema, String> {
        let mut compiled = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.use_loader(Box::new(NoLoader));
        compiler.add_resource(LOCATION, source.clone()).map_err(|error| describe(&error))?;
        let index = compiler.compile(LOCATION, &mut compiled).map_err(|error| describe(&error))?;
        Ok(Schema { compiled, index, source: source.clone() })
    }

    /// The schema as it was written.
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Everything about `value` that does not fit. Empty if it fits.
    pub fn violations(&self, value: &Value) -> Vec<Violation> {
        let mut violations = Vec::new();
        if let Err(error) = self.compiled.validate(value, self.index) {
            self.collect(&error, value, &mut violations);
        }
        violations
    }

    fn collect(&self, error: &ValidationError<'_, '_>, root: &Value, into: &mut Vec<Violation>) {
        if let Some(words) = words(error) {
            return into.push(not_a_word(error, root, &words));
        }
        if matches!(error.kind, ErrorKind::AnyOf | ErrorKind::OneOf(None)) {
            return self.collect_alternatives(error, root, into);
        }
        if !error.causes.is_empty() {
            for cause in &error.causes {
                self.collect(cause, root, into);
            }
            return;
        }
        let path = error.instance_location.to_string();
        let known = Violation { path, message: String::new(), hint: None, is_unknown_field: false };
        match &error.kind {
            ErrorKind::AdditionalProperties { got } => {
                let known_names = self.property_names(error.schema_url);
                into.extend(got.iter().map(|name| {
                    Violation {
                        path: json::pointer(&known.path, name),
                        message: format!("the field `{name}` is not known here"),
                        hint: nearest(name, known_names.iter().map(String::as_str))
                            .or_else(|| list_hint(&known_names)),
                        is_unknown_field: true,
                    }
                }));
            }
            ErrorKind::Required { want } => into.extend(want.iter().map(|name| Violation {
                message: format!("the field `{name}` is missing"),
                ..known.clone()
            })),
            ErrorKind::Type { got, want } => {
                let want: Vec<String> = want.iter().map(|one| one.to_string()).collect();
                let want = match self.expected(error.schema_url) {
                    Some(expected) => expected.to_owned(),
                    None => want.join(" or "),
                };
                into.push(Violation { message: format!("expected {want}, got {got}"), ..known });
            }
            ErrorKind::Pattern { got, .. } if self.expected(error.schema_url).is_some() => {
                let expected = self.expected(error.schema_url).unwrap_or_default();
                into.push(Violation {
                    message: format!("expected {expected}, got `{got}`"),
                    ..known
                });
            }
            kind => into.push(Violation { message: kind.to_string().replace('\'', "`"), ..known }),
        }
    }

    /// Of several alternatives that all failed, only the one that came furthest is of interest; if
    /// none came further than the value itself, what they expected is named together.
    fn collect_alternatives(
        &self,
        error: &ValidationError<'_, '_>,
        root: &Value,
        into: &mut Vec<Violation>,
    ) {
        let alternatives = error.causes.iter().map(|cause| {
            let mut violations = Vec::new();
            self.collect(cause, root, &mut violations);
            violations
        });
        let alternatives: Vec<Vec<Violation>> =
            alternatives.filter(|violations| !violations.is_empty()).collect();
        let own_path = error.instance_location.to_string();
        let reach = |violations: &[Violation]| {
            violations.iter().map(|one| one.path.len()).max().unwrap_or(0)
        };
        let wanted: Vec<&str> = alternatives
            .iter()
            .flatten()
            .filter(|one| one.path == own_path)
            .filter_map(|one| one.message.strip_prefix("expected "))
            .filter_map(|message| message.split(", got ").next())
            .collect();
        match alternatives.iter().max_by_key(|violations| reach(violations)) {
            Some(best) if reach(best) > own_path.len() || wanted.len() < 2 => {
                into.extend(best.iter().cloned());
            }
            _ => {
                let got = alternatives
                    .iter()
                    .flatten()
                    .find_map(|one| one.message.split(", got ").nth(1).map(str::to_owned));
                let message = match got {
                    Some(got) => format!("expected {}, got {got}", wanted.join(" or ")),
                    None => "fits none of the alternatives".to_owned(),
                };
                into.push(Violation {
                    path: own_path,
                    message,
                    hint: None,
                    is_unknown_field: false,
                });
            }
        }
    }

    /// What a schema of ours wants, in words.
    fn expected(&self, schema_url: &str) -> Option<&str> {
        let pointer = schema_url.split_once('#').map_or("", |(_, fragment)| fragment);
        self.source.pointer(pointer)?.get("x-expected")?.as_str()
    }

    fn property_names(&self, schema_url: &str) -> Vec<String> {
        let pointer = schema_url.split_once('#').map_or("", |(_, fragment)| fragment);
        let properties = self.source.pointer(pointer).and_then(|schema| schema.get("properties"));
        match properties {
            Some(Value::Object(properties)) => properties.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.source).finish()
    }
}

/// The words a value may be, if that is all its schema says: an enum, whichever way it is written.
fn words(error: &ValidationError<'_, '_>) -> Option<Vec<String>> {
    let same_place = |cause: &ValidationError<'_, '_>| {
        cause.instance_location.to_string() == error.instance_location.to_string()
    };
    if !error.causes.iter().all(same_place) {
        return None;
    }
    match &error.kind {
        ErrorKind::Const { want } => want.as_str().map(|word| vec![word.to_owned()]),
        ErrorKind::Enum { want } => {
            want.iter().map(|one| one.as_str().map(str::to_owned)).collect()
        }
        ErrorKind::AnyOf | ErrorKind::OneOf(None) => {
            let lists: Option<Vec<_>> = error.causes.iter().map(words).collect();
            lists.map(|lists| lists.concat())
        }
        // A group around a single complaint, such as a reference.
        _ => match error.causes.as_slice() {
            [only] => words(only),
            _ => None,
        },
    }
}

fn not_a_word(error: &ValidationError<'_, '_>, root: &Value, words: &[String]) -> Violation {
    let path = error.instance_location.to_string();
    let got = root.pointer(&path);
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let (got, hint) = match got {
        Some(Value::String(got)) => {
            (format!("`{got:.100}`"), nearest(got, words.iter().map(String::as_str)))
        }
        Some(other) => (json::type_name(other).to_owned(), None),
        None => ("nothing".to_owned(), None),
    };
    let message = format!("expected {}, got {got}", quoted.join(" or "));
    Violation { path, message, hint, is_unknown_field: false }
}

fn list_hint(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("known here: {}", names.join(", ")))
}

fn describe(error: &boon::CompileError) -> String {
    format!("{error:#}").replace(LOCATION, "")
}

struct NoLoader;

impl UrlLoader for NoLoader {
    fn load(&self, url: &str) -> Result<Value, Box<dyn Error>> {
        Err(format!("a schema may only refer to itself, not to `{url}`").into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(schema: Value, value: Value) -> Vec<String> {
        let violations = Schema::compile(&schema).unwrap().violations(&value);
        violations
            .into_iter()
            .map(|one| {
                format!("{}: {}{}", one.path, one.message, {
                    one.hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
                })
            })
            .collect()
    }

    #[test]
    fn names_every_violation_at_once() {
        let schema = json!({
            "type": "object",
            "properties": { "url": { "type": "string" }, "count": { "type": "integer", "minimum": 1 } },
            "required": ["url", "method"],
            "additionalProperties": false
        });
        let mut found = messages(schema, json!({ "url": 5, "count": 0, "metod": "GET" }));
        found.sort();
        assert_eq!(
            found,
            [
                "/count: must be >=1, but got 0",
                "/metod: the field `metod` is not known here (known here: url, count)",
                "/url: expected string, got number",
                ": the field `method` is missing",
            ]
        );
    }

    #[test]
    fn of_alternatives_the_closest_speaks() {
        let schema = json!({ "anyOf": [
            { "type": "null" },
            { "type": "object", "properties": { "count": { "type": "integer" } } }
        ]});
        let found = messages(schema.clone(), json!({ "count": "x" }));
        assert_eq!(found, ["/count: expected integer, got string"]);
        assert_eq!(messages(schema, json!(5)), [": expected null or object, got number"]);
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        let words = json!([
            { "const": "success", "description": "It succeeded." },
            { "const": "failure" },
            { "const": "always" }
        ]);
        for schema in [
            json!({ "properties": { "on": { "oneOf": words } } }),
            json!({ "properties": { "on": { "$ref": "#/$defs/On" } }, "$defs": { "On": { "oneOf": words } } }),
            json!({ "properties": { "on": { "enum": ["success", "failure", "always"] } } }),
        ] {
            assert_eq!(
                messages(schema.clone(), json!({ "on": "sucess" })),
                ["/on: expected `success` or `failure` or `always`, got `sucess` \
                  (did you mean `success`?)"]
            );
            let found = messages(schema, json!({ "on": 5 }));
            assert_eq!(found, ["/on: expected `success` or `failure` or `always`, got number"]);
        }
    }

    #[test]
    fn unknown_fields_of_referenced_schemas_have_hints() {
        let schema = json!({
            "properties": { "retry": { "$ref": "#/$defs/Retry" } },
            "$defs": { "Retry": {
                "properties": { "max_attempts": {} }, "additionalProperties": false
            } }
        });
        let found = messages(schema, json!({ "retry": { "max_attemps": 3 } }));
        assert_eq!(
            found,
            ["/retry/max_attemps: the field `max_attemps` is not known here \
              (did you mean `max_attempts`?)"]
        );
    }

    #[test]
    fn nothing_outside_is_read() {
        for reference in ["file:///etc/passwd", "http://127.0.0.1/x", "other.json"] {
            let refused = Schema::compile(&json!({ "$ref": reference }));
            assert!(refused.is_err(), "{reference}");
        }
    }
}
