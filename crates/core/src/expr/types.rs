use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What is known about a value before a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// Nothing.
    Any,
    /// It is null.
    Null,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list, and what its items are.
    List(Box<Type>),
    /// An object, and what is known of its fields.
    Object {
        /// The known fields.
        fields: BTreeMap<String, Type>,
        /// Whether there may be others.
        open: bool,
    },
}

impl Type {
    /// An object with these fields and no others.
    pub fn closed<const N: usize>(fields: [(&str, Type); N]) -> Type {
        let fields = fields.into_iter().map(|(name, of)| (name.to_owned(), of)).collect();
        Type::Object { fields, open: false }
    }

    /// An object of which nothing is known.
    pub fn object() -> Type {
        Type::Object { fields: BTreeMap::new(), open: true }
    }

    /// The type of a value that is known.
    pub fn of(value: &Value) -> Type {
        match value {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Number(_) => Type::Number,
            Value::String(_) => Type::Text,
            Value::Array(items) => {
                let mut types = items.iter().map(Type::of);
                let first = types.next().unwrap_or(Type::Any);
                let same = types.all(|other| other == first);
                Type::List(Box::new(if same { first } else { Type::Any }))
            }
            Value::Object(fields) => Type::Object {
                fields: fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Type::of(value)))
                    .collect(),
                open: false,
            },
        }
    }

    /// What a JSON Schema says, as far as it says it simply. Anything else is [`Type::Any`].
    pub fn of_schema(schema: &Value) -> Type {
        match schema.get("type").and_then(Value::as_str) {
            Some("null") => Type::Null,
            Some("boolean") => Type::Bool,
            Some("number" | "integer") => Type::Number,
            Some("string") => Type::Text,
            Some("array") => {
                let items = schema.get("items").map_or(Type::Any, Type::of_schema);
                Type::List(Box::new(items))
            }
            Some("object") => Type::Object {
                fields: schema
                    .get("properties")
                    .and_then(Value::as_object)
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.clone(), Type::of_schema(schema)))
                    .collect(),
                open: schema.get("additionalProperties") != Some(&Value::Bool(false)),
            },
            _ => Type::Any,
        }
    }

    /// Whether a value of this type could equal one of the other. Null is possible everywhere,
    /// because a node's output is null before it has run.
    pub fn may_equal(&self, other: &Type) -> bool {
        match (self, other) {
            (Type::Any | Type::Null, _) | (_, Type::Any | Type::Null) => true,
            (Type::List(_), Type::List(_)) | (Type::Object { .. }, Type::Object { .. }) => true,
            (a, b) => a == b,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "value",
            Type::Null => "null",
            Type::Bool => "bool",
            Type::Number => "number",
            Type::Text => "string",
            Type::List(_) => "list",
            Type::Object { .. } => "object",
        })
    }
}
