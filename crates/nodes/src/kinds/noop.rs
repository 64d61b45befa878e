//! `noop`: does nothing.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::expr::Type;
use windlass_core::kinds::NodeConfig;
use windlass_core::run::AttemptError;

use crate::node::InlineNode;

/// Does nothing, and returns `output`.
///
/// It is journaled like any step that touches the world: its attempt starts only when its turn is
/// durable, and what follows starts only when its output is. For tests, dry runs and measurements.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noop {
    /// The output: any JSON with templates. Left out, it is null.
    #[serde(default)]
    output: Value,
}

impl NodeConfig for Noop {
    const KIND: &'static str = "noop";
    const SUMMARY: &'static str = "Does nothing, and returns what it is told to";
    const EXAMPLE: &'static str = include_str!("examples/noop.yaml");

    fn output(config: &Value) -> Type {
        match config.get("output") {
            Some(output) if !output.to_string().contains("{{") => Type::of(output),
            _ => Type::Any,
        }
    }
}

impl InlineNode for Noop {
    fn run(self) -> Result<Value, AttemptError> {
        Ok(self.output)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::registry::{Executor, Registry};

    #[test]
    fn returns_its_output() {
        let registry = Registry::builtin();
        let Some(Executor::Inline(run)) = registry.executor("noop") else { panic!() };
        assert_eq!(run(json!({ "output": [1] })), Ok(json!([1])));
        assert_eq!(run(json!({})), Ok(json!(null)));
        assert_eq!(run(json!({ "outptu": 1 })).unwrap_err().failure.code, "bad_config");
    }
}
