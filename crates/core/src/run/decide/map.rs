//! `map`: opening items in batches, and gathering what they came to.

use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::finish::together;
use super::start::check_size;
use crate::definition::Node;
use crate::failure::Failure;
use crate::kinds::parse_config;
use crate::limits::{MAP_BATCH, MAP_ITEM_COUNT_MAX};
use crate::run::event::Fact;

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
        let nodes = node.body.as_ref().map_or(0, |body| body.nodes.len());
        Ok(vec![Fact::MapOpened {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            items: Arc::new(items),
            concurrency,
            nodes: u32::try_from(nodes).unwrap_or(u32::MAX),
        }])
    }

    pub(super) fn open_items(&self, block: &str) -> Vec<Fact> {
        let map = self.state.steps.get(block).and_then(|step| step.map.as_ref());
        let body = self.locate(block).and_then(|(_, node)| node.body.as_ref());
        let (Some(map), Some(body)) = (map, body) else { return self.lost(block) };
        let from = map.opened;
        let to = from + map.room().min(MAP_BATCH);
        let ready = body.roots.iter().map(|root| body.nodes[*root as usize].id.clone()).collect();
        vec![Fact::ItemsOpened { path: block.to_owned(), from, to, ready }]
    }

    /// All items are over: the block has the list of their outputs, or has failed with them.
    pub(super) fn finish_map(&self, block: &str) -> Vec<Fact> {
        let step = self.state.steps.get(block);
        let map = step.and_then(|step| step.map.as_ref());
        let (Some(step), Some(map), Some(place)) = (step, map, self.locate(block)) else {
            return self.lost(block);
        };
        if !map.failures.is_empty() {
            let error = together(&map.failures, map.failure_count, self.plan.on_failure);
            return self.fail(block, place, step.attempt, step.started_at, error);
        }
        let output: Value = map.results.iter().map(|result| Value::clone(result)).collect();
        match check_size(&output, "list of outputs") {
            Ok(()) => {
                self.succeed(block, place, step.attempt, step.started_at, Arc::new(output), None)
            }
            Err(failure) => self.fail(block, place, step.attempt, step.started_at, failure),
        }
    }
}
