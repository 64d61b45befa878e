//! `map`: opening items in batches, and gathering what they came to.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::start::{check_size, expression_failure};
use crate::definition::{Graph, Node};
use crate::expr::{Environment, Names, NodeView, Root, Template};
use crate::failure::Failure;
use crate::json;
use crate::kinds::{OnItemFailure, parse_config};
use crate::limits::{MAP_BATCH, MAP_ITEM_COUNT_MAX};
use crate::run::event::Fact;
use crate::run::names::RunNames;
use crate::run::path;
use crate::run::state::Block;

/// The rendered config of a `map`, without the body.
#[derive(serde::Deserialize)]
struct Opened {
    items: Vec<Value>,
    concurrency: Option<u32>,
    batch_size: Option<u32>,
    on_item_failure: Option<OnItemFailure>,
}

impl Decider<'_> {
    pub(super) fn open_map(
        &self,
        step: &str,
        node: &Node,
        config: Value,
    ) -> Result<Vec<Fact>, Failure> {
        if let Some(items) = config.get("items").filter(|items| !items.is_array()) {
            let of = json::type_name(items);
            let message = format!("`items` must be a list, but it is a {of}");
            return Err(Failure::new("bad_config", message));
        }
        let Opened { items, concurrency, batch_size, on_item_failure } = parse_config(config)?;
        if items.len() > MAP_ITEM_COUNT_MAX {
            let message = format!("there may be at most {MAP_ITEM_COUNT_MAX} items");
            return Err(Failure::new("too_many_items", message));
        }
        if concurrency == Some(0) {
            let message = "`concurrency` is 0, so no item could ever run";
            return Err(Failure::new("bad_config", message));
        }
        let items = match batch_size {
            None => items,
            Some(0) => {
                let message = "`batch_size` is 0, so no item would ever be in a batch";
                return Err(Failure::new("bad_config", message));
            }
            Some(size) => {
                items.chunks(size as usize).map(|batch| Value::from(batch.to_vec())).collect()
            }
        };
        let keys = match &node.key {
            Some(key) => Some(Arc::new(self.keys(step, key, &items)?)),
            None => None,
        };
        Ok(vec![Fact::MapOpened {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            items: Arc::new(items),
            concurrency,
            keys,
            tolerate: on_item_failure.map(OnItemFailure::tolerated),
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

    /// What the result of each item is to be called.
    fn keys(&self, step: &str, key: &Template, items: &[Value]) -> Result<Vec<String>, Failure> {
        let scope = path::item_scope(step, 0);
        let run = RunNames { state: self.state, plan: self.plan, scope: &scope, ended: None };
        let mut seen = HashSet::with_capacity(items.len());
        let mut keys = Vec::with_capacity(items.len());
        for (index, item) in (0_u32..).zip(items) {
            let names = ItemNames { run: &run, item, index };
            let rendered =
                key.render(&Environment::new(&names, self.now)).map_err(|(place, error)| {
                    expression_failure(&format!("/config/key{place}"), &error)
                })?;
            let key = match rendered.value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                other => {
                    let of = json::type_name(&other);
                    let message =
                        format!("the key of item {index} is a {of}, not a text or number");
                    return Err(Failure::new("bad_key", message));
                }
            };
            if !seen.insert(key.clone()) {
                let message = format!("two items have the key `{key:.100}`");
                return Err(Failure::new("duplicate_key", message));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// All items are over: the list of their outputs, or an object by key.
    pub(super) fn gather(
        results: &[Arc<Value>],
        keys: Option<&Vec<String>>,
    ) -> Result<Value, Failure> {
        let results = results.iter().map(|result| Value::clone(result));
        let output = match keys {
            None => Value::Array(results.collect()),
            Some(keys) => Value::Object(keys.iter().cloned().zip(results).collect()),
        };
        check_size(&output, "list of outputs")?;
        Ok(output)
    }
}

/// The names of a run, and those of an item that has not begun.
struct ItemNames<'a> {
    run: &'a RunNames<'a>,
    item: &'a Value,
    index: u32,
}

impl Names for ItemNames<'_> {
    fn value(&self, root: &Root) -> Cow<'_, Value> {
        match root {
            Root::Item => Cow::Borrowed(self.item),
            Root::Index => Cow::Owned(self.index.into()),
            other => self.run.value(other),
        }
    }

    fn node(&self, up: u8, id: &str) -> NodeView<'_> {
        self.run.node(up, id)
    }
}
