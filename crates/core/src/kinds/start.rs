use schemars::JsonSchema;
use serde::Deserialize;

use super::{Done, NodeConfig, Pure, PureNode};
use crate::failure::Failure;

/// Where a graph begins. Its output is the run's input or, in a block, the item.
///
/// A graph needs no `start`: every node without incoming edges is then a beginning. With one, a
/// node that it does not lead to is reported as unreachable.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {}

impl NodeConfig for Start {
    const KIND: &'static str = "start";
    const SUMMARY: &'static str = "Marks where a graph begins and hands on its input";
    const EXAMPLE: &'static str = include_str!("examples/start.yaml");
}

impl PureNode for Start {
    fn run(self, pure: Pure) -> Result<Done, Failure> {
        Ok(Done::with((*pure.input).clone()))
    }
}
