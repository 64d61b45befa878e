//! The language of types in a prompt's head, as JSON Schema (2020-12).
//!
//! `string integer float number boolean`, `T?` may be null or left out, `T[]` is a list, `a | b` is
//! one of these words, `( )` groups. A mapping is an object, a list of one element a list of that.
//! Any other word is taken for `string`, with a warning.

use serde_json::{Map, Value, json};

/// A type, and whether it may be left out.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) schema: Value,
    pub(super) is_optional: bool,
}

/// Reads a type. What is odd, but taken for something, is added to `warnings`.
///
/// # Errors
///
/// What is no type at all, with its JSON Pointer below `path`.
pub(super) fn read(
    value: &Value,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<Typed, (String, String)> {
    match value {
        Value::String(text) => Ok(of_text(text, path, warnings)),
        Value::Object(fields) => {
            Ok(Typed { schema: object(fields, path, warnings)?, is_optional: false })
        }
        Value::Array(elements) => match elements.as_slice() {
            [element] => {
                let element = read(element, &format!("{path}/0"), warnings)?;
                let schema = json!({ "type": "array", "items": element.schema });
                Ok(Typed { schema, is_optional: false })
            }
            others => {
                let message = format!("a list of {} types is no type; it takes one", others.len());
                Err((path.to_owned(), message))
            }
        },
        other => Err((path.to_owned(), format!("`{other}` is no type"))),
    }
}

/// The schema of an object with these fields and no others.
///
/// # Errors
///
/// As [`read`].
pub(super) fn object(
    fields: &Map<String, Value>,
    path: &str,
    warnings: &mut Vec<String>,
) -> Result<Value, (String, String)> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, value) in fields {
        let typed = read(value, &windlass_core::json::pointer(path, name), warnings)?;
        properties.insert(name.clone(), typed.schema);
        if !typed.is_optional {
            required.push(Value::from(name.as_str()));
        }
    }
    Ok(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}

fn of_text(text: &str, path: &str, warnings: &mut Vec<String>) -> Typed {
    let text = text.trim();
    if let Some(inner) = text.strip_suffix('?') {
        let inner = of_text(inner, path, warnings);
        let schema = if inner.is_optional {
            inner.schema
        } else {
            json!({ "anyOf": [inner.schema, { "type": "null" }] })
        };
        return Typed { schema, is_optional: true };
    }
    let schema = match alternatives(text) {
        words if words.len() > 1 => one_of(&words),
        _ => single(text, path, warnings),
    };
    Typed { schema, is_optional: false }
}

fn single(text: &str, path: &str, warnings: &mut Vec<String>) -> Value {
    if let Some(element) = text.strip_suffix("[]") {
        return json!({ "type": "array", "items": of_text(element, path, warnings).schema });
    }
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        return of_text(inner, path, warnings).schema;
    }
    named(text).unwrap_or_else(|| {
        warnings.push(format!("{path}: `{text}` is no type and is taken for `string`"));
        json!({ "type": "string" })
    })
}

fn named(text: &str) -> Option<Value> {
    match text {
        "string" | "integer" | "number" | "boolean" | "null" => Some(json!({ "type": text })),
        "float" => Some(json!({ "type": "number" })),
        _ => None,
    }
}

/// What stands between the `|` that are in no parentheses.
fn alternatives(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (at, sign) in text.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text[start..].trim());
    found
}

/// Words are words, unless each of them is a type.
fn one_of(words: &[&str]) -> Value {
    match words.iter().map(|word| named(word)).collect::<Option<Vec<Value>>>() {
        Some(types) => json!({ "anyOf": types }),
        None => {
            let words: Vec<&str> =
                words.iter().map(|word| word.trim_matches(['"', '\''])).collect();
            json!({ "type": "string", "enum": words })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(text: &str) -> (Value, bool) {
        let typed = read(&json!(text), "", &mut Vec::new()).unwrap();
        (typed.schema, typed.is_optional)
    }

    #[test]
    fn a_type_is_a_schema() {
        let nullable = |of: Value| json!({ "anyOf": [of, { "type": "null" }] });
        let list = |of: Value| json!({ "type": "array", "items": of });
        let (string, integer) = (json!({ "type": "string" }), json!({ "type": "integer" }));
        let table = [
            ("string", string.clone(), false),
            (" integer ", integer.clone(), false),
            ("float", json!({ "type": "number" }), false),
            ("number", json!({ "type": "number" }), false),
            ("boolean", json!({ "type": "boolean" }), false),
            ("string?", nullable(string.clone()), true),
            ("string??", nullable(string.clone()), true),
            ("integer[]", list(integer.clone()), false),
            ("integer[]?", nullable(list(integer.clone())), true),
            ("integer?[]", list(nullable(integer.clone())), false),
            ("integer[][]", list(list(integer.clone())), false),
            ("a | b", json!({ "type": "string", "enum": ["a", "b"] }), false),
            ("a|b ?", nullable(json!({ "type": "string", "enum": ["a", "b"] })), true),
            ("(a | b)[]", list(json!({ "type": "string", "enum": ["a", "b"] })), false),
            ("'a b' | c", json!({ "type": "string", "enum": ["a b", "c"] }), false),
            ("string | integer", json!({ "anyOf": [string, integer] }), false),
        ];
        for (text, wanted, is_optional) in table {
            assert_eq!(schema(text), (wanted.clone(), is_optional), "{text}");
            windlass_core::schema::Schema::compile(&wanted).unwrap();
        }
        let mut warnings = Vec::new();
        let typed = read(&json!("strnig"), "/output/a", &mut warnings).unwrap();
        assert_eq!(typed.schema, json!({ "type": "string" }));
        assert_eq!(warnings, ["/output/a: `strnig` is no type and is taken for `string`"]);
    }

    #[test]
    fn mappings_and_lists_are_types_too() {
        let value = json!({ "items": [{ "text": "string", "pr": "integer?" }] });
        let typed = read(&value, "", &mut Vec::new()).unwrap();
        let item = &typed.schema["properties"]["items"]["items"];
        assert_eq!(item["required"], json!(["text"]));
        assert_eq!(item["additionalProperties"], false);
        for (value, path) in [
            (json!({ "a": [] }), "/a"),
            (json!(["string", "string"]), ""),
            (json!({ "b": 5 }), "/b"),
        ] {
            assert_eq!(read(&value, "", &mut Vec::new()).unwrap_err().0, path, "{value}");
        }
    }
}
