//! `map`: opening items in batches, and gathering what they came to.

use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::start::check_size;
use crate::definition::{Graph, Node};
use crate::failure::Failure;
use crate::kinds::parse_config;
use crate::limits::{MAP_BATCH, MAP_ITEM_COUNT_MAX};
use crate::run::event::Fact;
use crate::run::state::Block;

/// The rendered config of a `map`, without the body.
#[derive(serde::Deserialize)]
struct Opened {
    items: Vec<Value>,
    concurrency: Option<u32>,
}

impl Decider<'_> {
    pub(super) fn open_map(
        &self,
        step: &str,
        node: &Node,
        config: Value,
    ) -> Result<Vec<Fact>, Failure> {
        if let Some(items) = config.get("items").filter(|items| !items.is_array()) {
            let of = crate::json::type_name(items);
            let message = format!("`items` must be a list, but it is a {of}");
            return Err(Failure::new("bad_config", message));
        }
        let Opened { items, concurrency } = parse_config(config)?;
        if items.len() > MAP_ITEM_COUNT_MAX {
            let message = format!("there may be at most {MAP_ITEM_COUNT_MAX} items");
            return Err(Failure::new("too_many_items", message));
        }
        if concurrency == Some(0) {
            let message = "`concurrency` is 0, so no item could ever run";
            return Err(Failure::new("bad_config", message));
        }
        Ok(vec![Fact::MapOpened {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            items: Arc::new(items),
            concurrency,
            nodes: node.body(0).map_or(0, Graph::len),
        }])
    }

    /// The next items that there is room for.
    pub(super) fn open_items(&self, step: &str, block: &Block, body: &Graph) -> Vec<Fact> {
        let from = block.opened;
        let to = from + block.room().min(MAP_BATCH);
        vec![Fact::ItemsOpened {
            path: step.to_owned(),
            from,
            to,
            ready: body.root_ids(),
            nodes: None,
        }]
    }

    /// All items are over: the list of their outputs.
    pub(super) fn gather(results: &[Arc<Value>]) -> Result<Value, Failure> {
        let output: Value = results.iter().map(|result| Value::clone(result)).collect();
        check_size(&output, "list of outputs")?;
        Ok(output)
    }
}
