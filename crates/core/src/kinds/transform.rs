use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Done, NodeConfig, Pure, PureNode};
use crate::expr::Type;
use crate::failure::Failure;

/// Builds a value out of others. Whatever stands in `output` is the node's output, with every
/// `{{ expression }}` in it evaluated.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Transform {
    /// The output: any JSON with templates.
    output: Value,
}

impl NodeConfig for Transform {
    const KIND: &'static str = "transform";
    const SUMMARY: &'static str = "Builds a value out of others";
    const EXAMPLE: &'static str = include_str!("examples/transform.yaml");

    fn output(config: &Value) -> Type {
        config.get("output").map_or(Type::Any, type_of_written)
    }
}

impl PureNode for Transform {
    fn run(self, _: Pure) -> Result<Done, Failure> {
        Ok(Done::with(self.output))
    }
}

/// The type of a value as written: a text with a template in it can be anything.
pub(super) fn type_of_written(value: &Value) -> Type {
    match value {
        Value::String(text) if text.contains("{{") => Type::Any,
        Value::Array(items) if items.iter().any(|item| type_of_written(item) == Type::Any) => {
            Type::List(Box::new(Type::Any))
        }
        Value::Object(fields) => Type::Object {
            fields: fields
                .iter()
                .map(|(name, value)| (name.clone(), type_of_written(value)))
                .collect(),
            open: false,
        },
        other => Type::of(other),
    }
}
