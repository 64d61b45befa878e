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
/// fails, so does the node, unless `on_item_failure` says otherwise.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Map {
    /// The list, usually an expression such as `{{ fetch.output.body }}` or `{{ range(10) }}`.
    #[expect(dead_code, reason = "for the schema; the core reads the rendered one")]
    items: Vec<Value>,
    /// How many items may run at the same time. Left out, there is no limit.
    #[serde(default)]
    concurrency: Option<u32>,
    /// Hands out the items in lists of at most so many. Left out, one by one.
    #[serde(default)]
    batch_size: Option<u32>,
    /// What each result is called, such as `{{ item.id }}`: the output is then an object by these
    /// keys, and not a list.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema; the core compiles it")]
    key: Option<String>,
    /// What the failure of an item does. Left out, what `on_failure` of the definition says, and the
    /// node fails.
    #[serde(default)]
    #[expect(dead_code, reason = "for the schema; the core reads the rendered one")]
    on_item_failure: Option<OnItemFailure>,
    /// What to run for each item.
    #[expect(dead_code, reason = "for the schema; the graph is compiled with the definition")]
    body: BlockBody,
}

/// What the failure of an item does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnItemFailure {
    /// The others are stopped, and the node fails.
    Stop,
    /// The others go on. The result of the item is null, and the node succeeds.
    Continue,
    /// As `continue` up to so many failed items, as `stop` from the next one on.
    Tolerate(u32),
}

impl OnItemFailure {
    /// How many items may fail.
    pub(crate) fn tolerated(self) -> u32 {
        match self {
            OnItemFailure::Stop => 0,
            OnItemFailure::Continue => u32::MAX,
            OnItemFailure::Tolerate(count) => count,
        }
    }
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
        if self.batch_size == Some(0) {
            return Err(Complaint::at("/batch_size", "a batch has at least one item"));
        }
        if self.concurrency == Some(0) {
            return Err(Complaint::at("/concurrency", "at least one item must be allowed to run"));
        }
        Ok(())
    }

    fn output(config: &Value) -> Type {
        match config.get("key") {
            Some(_) => Type::object(),
            None => Type::List(Box::new(Type::Any)),
        }
    }
}
