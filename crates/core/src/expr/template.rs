//! Values with `{{ … }}` in their texts.
//!
//! `"{{ expr }}"` alone keeps the type of its value; inside a longer text the value is written out:
//! texts as they are, everything else as JSON. Keys are never templates.
//!
//! A secret is never rendered here. The value keeps the text as it was written, and a
//! [`SecretSlot`] says what the dispatcher has to put there when the attempt starts. The slot lies
//! beside the value and not inside it, so that no input can look like one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ExprError;
use super::ast::Expression;
use super::bind::Bindings;
use super::eval::Environment;
use crate::json;

/// A JSON value whose texts may hold expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum Template {
    /// Nothing to evaluate anywhere inside.
    Literal(Value),
    /// One expression, whose value is the value.
    Expression(Expression),
    /// A text with expressions or secrets in it.
    Text(Vec<Part>),
    /// A list with something to evaluate in it.
    List(Vec<Template>),
    /// An object with something to evaluate in it.
    Object(Vec<(String, Template)>),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Stands for itself.
    Text(String),
    /// Its value is written here.
    Expression(Expression),
    /// The secret of this name is written here, later.
    Secret(String),
}

/// A rendered template.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// The value, with secrets as they were written.
    pub value: Value,
    /// What the dispatcher still has to fill in.
    pub secrets: Vec<SecretSlot>,
}

/// A text in a value that is to be replaced by texts and secrets when an attempt starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretSlot {
    /// JSON Pointer of the text.
    pub path: String,
    /// What to write there, one after the other.
    pub parts: Vec<SecretPart>,
}

/// A part of a text with secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPart {
    /// Text that is already final. Whatever it looks like, it is not evaluated again.
    Text(String),
    /// The value of the secret of this name.
    Secret(String),
}

impl Template {
    /// Compiles `value`. Every error comes with the JSON Pointer of its text inside `value`.
    ///
    /// `secrets` says whether `{{secrets.x}}` may stand here: only where a node sends it out.
    ///
    /// # Errors
    ///
    /// All errors at once.
    pub fn compile(
        value: &Value,
        bindings: &dyn Bindings,
        secrets: bool,
    ) -> Result<Template, Vec<(String, ExprError)>> {
        let mut errors = Vec::new();
        let compiler = Compiler { bindings, secrets };
        let template = compiler.value(value, "", &mut errors);
        if errors.is_empty() { Ok(template) } else { Err(errors) }
    }

    /// The value in `env`, with the places of its secrets.
    ///
    /// # Errors
    ///
    /// The first error, with the JSON Pointer of its text.
    pub fn render(&self, env: &Environment<'_>) -> Result<Rendered, (String, ExprError)> {
        let mut path = String::new();
        let mut secrets = Vec::new();
        let value = self.render_at(env, &mut path, &mut secrets)?;
        Ok(Rendered { value, secrets })
    }

    /// Every expression inside, with the JSON Pointer of its text.
    pub fn expressions(&self) -> Vec<(String, &Expression)> {
        let mut found = Vec::new();
        self.collect("", &mut found);
        found
    }

    /// The value, if there is nothing to evaluate.
    pub fn literal(&self) -> Option<&Value> {
        match self {
            Template::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The template of one field, if this is an object.
    pub fn field(&self, name: &str) -> Option<Cow<'_, Template>> {
        match self {
            Template::Object(fields) => {
                fields.iter().find(|(key, _)| key == name).map(|(_, field)| Cow::Borrowed(field))
            }
            Template::Literal(Value::Object(fields)) => {
                fields.get(name).map(|value| Cow::Owned(Template::Literal(value.clone())))
            }
            _ => None,
        }
    }

    fn collect<'a>(&'a self, path: &str, found: &mut Vec<(String, &'a Expression)>) {
        match self {
            Template::Literal(_) => {}
            Template::Expression(expression) => found.push((path.to_owned(), expression)),
            Template::Text(parts) => {
                found.extend(parts.iter().filter_map(|part| match part {
                    Part::Expression(expression) => Some((path.to_owned(), expression)),
                    _ => None,
                }));
            }
            Template::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.collect(&json::pointer(path, index), found);
                }
            }
            Template::Object(fields) => {
                for (name, field) in fields {
                    field.collect(&json::pointer(path, name), found);
                }
            }
        }
    }

    fn render_at(
        &self,
        env: &Environment<'_>,
        path: &mut String,
        secrets: &mut Vec<SecretSlot>,
    ) -> Result<Value, (String, ExprError)> {
        match self {
            Template::Literal(value) => Ok(value.clone()),
            Template::Expression(expression) => {
                let value = expression.evaluate(env).and_then(|value| env.own(value, 0));
                value.map_err(|error| (path.clone(), error))
            }
            Template::Text(parts) => {
                render_text(parts, env, path, secrets).map_err(|error| (path.clone(), error))
            }
            Template::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    let length = path.len();
                    path.push('/');
                    path.push_str(&index.to_string());
                    values.push(item.render_at(env, path, secrets)?);
                    path.truncate(length);
                }
                Ok(Value::Array(values))
            }
            Template::Object(fields) => {
                let mut object = Map::new();
                for (name, field) in fields {
                    let length = path.len();
                    *path = json::pointer(path, name);
                    object.insert(name.clone(), field.render_at(env, path, secrets)?);
                    path.truncate(length);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

fn render_text(
    parts: &[Part],
    env: &Environment<'_>,
    path: &str,
    secrets: &mut Vec<SecretSlot>,
) -> Result<Value, ExprError> {
    let mut shown = String::new();
    let mut slot: Vec<SecretPart> = Vec::new();
    let mut has_secret = false;
    for part in parts {
        let text: Cow<'_, str> = match part {
            Part::Text(text) => Cow::Borrowed(text),
            Part::Expression(expression) => Cow::Owned(written(&*expression.evaluate(env)?)),
            Part::Secret(name) => {
                has_secret = true;
                slot.push(SecretPart::Secret(name.clone()));
                shown.push_str(&format!("{{{{secrets.{name}}}}}"));
                continue;
            }
        };
        super::ops::grows(shown.len(), text.len(), 0, env)?;
        shown.push_str(&text);
        slot.push(SecretPart::Text(text.into_owned()));
    }
    if has_secret {
        secrets.push(SecretSlot { path: path.to_owned(), parts: slot });
    }
    Ok(Value::String(shown))
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

struct Compiler<'a> {
    bindings: &'a dyn Bindings,
    secrets: bool,
}

impl Compiler<'_> {
    fn value(&self, value: &Value, path: &str, errors: &mut Vec<(String, ExprError)>) -> Template {
        match value {
            Value::String(text) => self.text(text).unwrap_or_else(|found| {
                errors.extend(found.into_iter().map(|error| (path.to_owned(), error)));
                Template::Literal(Value::Null)
            }),
            Value::Array(items) => {
                let items: Vec<Template> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.value(item, &json::pointer(path, index), errors))
                    .collect();
                // A literal may have been written as one of the language: `{{ 5 }}` is 5.
                let literals: Option<Vec<Value>> =
                    items.iter().map(|item| item.literal().cloned()).collect();
                match literals {
                    Some(literals) => Template::Literal(Value::Array(literals)),
                    None => Template::List(items),
                }
            }
            Value::Object(fields) => {
                let fields: Vec<(String, Template)> = fields
                    .iter()
                    .map(|(name, field)| {
                        (name.clone(), self.value(field, &json::pointer(path, name), errors))
                    })
                    .collect();
                let literals: Option<Map<String, Value>> = fields
                    .iter()
                    .map(|(name, field)| Some((name.clone(), field.literal()?.clone())))
                    .collect();
                match literals {
                    Some(literals) => Template::Literal(Value::Object(literals)),
                    None => Template::Object(fields),
                }
            }
            other => Template::Literal(other.clone()),
        }
    }

    fn text(&self, text: &str) -> Result<Template, Vec<ExprError>> {
        if !text.contains("{{") {
            return Ok(Template::Literal(Value::String(text.to_owned())));
        }
        let chars: Vec<char> = text.chars().collect();
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while at < chars.len() {
            if !chars[at..].starts_with(&['{', '{']) {
                plain.push(chars[at]);
                at += 1;
                continue;
            }
            let (expression, end) = match Expression::embedded(&chars, at + 2, self.bindings) {
                Ok(parsed) => parsed,
                Err(error) => {
                    errors.push(error);
                    // What follows may have mistakes of its own.
                    let rest = &chars[at + 2..];
                    let Some(end) = rest.windows(2).position(|two| two == ['}', '}']) else {
                        break;
                    };
                    at += end + 4;
                    continue;
                }
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            match expression.and_then(|expression| self.part(expression)) {
                Ok(part) => parts.push(part),
                Err(found) => errors.extend(found),
            }
            at = end;
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(match parts.as_slice() {
            [Part::Expression(expression)] => match expression.literal() {
                Some(value) => Template::Literal(value.clone()),
                None => Template::Expression(expression.clone()),
            },
            _ => Template::Text(parts),
        })
    }

    fn part(&self, expression: Expression) -> Result<Part, Vec<ExprError>> {
        let Some(offset) = expression.first_secret() else {
            return Ok(Part::Expression(expression));
        };
        let refused = |message: &str| vec![ExprError::new("secret", offset, message)];
        match expression.lone_secret() {
            _ if !self.secrets => Err(refused(
                "a secret cannot be read here, only in the `config` of a node that sends it out, \
                 such as `http` or `shell`",
            )),
            Some(name) => Ok(Part::Secret(name.to_owned())),
            None => Err(refused("a secret can only be put in as it is: `{{secrets.name}}`")),
        }
    }
}
