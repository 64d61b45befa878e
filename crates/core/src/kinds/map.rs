use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Complaint, NodeConfig};
use crate::expr::Type;

/// Runs a graph of its own once for each item of a list. The output is the list of the bodies'
/// outputs, in the order of the items.
///
/// Inside the body, `item` is the item and `index` its number from 0; nodes outside of the body can
/// be read too. Items run side by side, all of them unless `concurrency` says otherwise. If an item
/// fails, so does the node.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Map {
    /// The list, usually an expression such as `{{ fetch.output.body }}` or `{{ range(10) }}`.
    #[expect(dead_code, reason = "for the schema; the core reads the rendered one")]
    items: Vec<Value>,
    /// How many items may run at the same time. Left out, there is no limit.
    #[serde(default)]
    concurrency: Option<u32>,
    /// What to run for each item.
    #[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
    body: BlockBody,
}

/// A graph inside a node.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
pub(super) struct BlockBody {
    /// The nodes, as at the top of a definition.
    nodes: Vec<Value>,
    /// The edges, as at the top of a definition.
    #[serde(default)]
    edges: Vec<Value>,
    /// The output of one item. Left out, it is the output of the body's single end node, else an
    /// object by node id.
    #[serde(default)]
    output: Option<Value>,
}

impl NodeConfig for Map {
    const KIND: &'static str = "map";
    const SUMMARY: &'static str = "Runs a graph once for each item of a list";
    const EXAMPLE: &'static str = include_str!("examples/map.yaml");

    fn check(&self) -> Result<(), Complaint> {
        if self.concurrency == Some(0) {
            return Err(Complaint::at("/concurrency", "at least one item must be allowed to run"));
        }
        Ok(())
    }

    fn output(_: &Value) -> Type {
        Type::List(Box::new(Type::Any))
    }
}
