use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Done, NodeConfig, Pure, PureNode};
use crate::expr::Type;
use crate::failure::Failure;

/// Where a graph ends. Its output is the output of the graph.
///
/// Without `output` it hands on the output of the node before it, or an object by node id if
/// several edges led to it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// The output: any JSON with templates.
    #[serde(default)]
    output: Option<Value>,
}

impl NodeConfig for End {
    const KIND: &'static str = "end";
    const SUMMARY: &'static str = "Marks where a graph ends and gives its output";
    const EXAMPLE: &'static str = include_str!("examples/end.yaml");

    fn output(config: &Value) -> Type {
        config.get("output").map_or(Type::Any, super::transform::type_of_written)
    }
}

impl PureNode for End {
    fn run(self, pure: Pure) -> Result<Done, Failure> {
        Ok(Done::with(self.output.unwrap_or_else(|| pure.handed_on())))
    }
}
