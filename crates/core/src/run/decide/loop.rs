//! `loop`: whether it goes round once more.

use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::start::expression_failure;
use crate::definition::{Graph, Node, Repeat};
use crate::expr::{Environment, Expression};
use crate::failure::Failure;
use crate::kinds::parse_config;
use crate::limits::{LOOP_ITERATION_COUNT_DEFAULT, LOOP_ITERATION_COUNT_MAX};
use crate::run::event::Fact;
use crate::run::names::RunNames;
use crate::run::path;
use crate::run::state::Block;

/// The rendered config of a `loop`, without the condition and the body.
#[derive(serde::Deserialize)]
struct Opened {
    #[serde(default)]
    initial: Value,
    max_iterations: Option<u32>,
}

impl Decider<'_> {
    pub(super) fn open_loop(
        &self,
        step: &str,
        node: &Node,
        config: Value,
    ) -> Result<Vec<Fact>, Failure> {
        let Opened { initial, max_iterations } = parse_config(config)?;
        let max_iterations = max_iterations.unwrap_or(LOOP_ITERATION_COUNT_DEFAULT);
        if !(1..=LOOP_ITERATION_COUNT_MAX).contains(&max_iterations) {
            let message = format!("`max_iterations` is 1 to {LOOP_ITERATION_COUNT_MAX}");
            return Err(Failure::new("bad_config", message));
        }
        Ok(vec![Fact::LoopOpened {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            item: Arc::new(initial),
            max_iterations,
            nodes: node.body(0).map_or(0, Graph::len),
        }])
    }

    /// Asks the condition, and begins the next iteration or ends the loop.
    pub(super) fn go_round(
        &self,
        step: &str,
        block: &Block,
        (item, max_iterations): (&Arc<Value>, u32),
    ) -> Vec<Fact> {
        let Some(place) = self.locate(step) else { return self.lost(step) };
        let (Some(repeat), Some(body)) = (&place.1.repeat, place.1.body(0)) else {
            return self.lost(step);
        };
        let begun = self.state.steps.get(step).and_then(|step| step.started_at);
        let count = block.opened;
        let goes_on = match repeat {
            Repeat::While(condition) => self.asked(step, count, condition, "while"),
            // The first time there is nothing to ask about.
            Repeat::Until(_) if count == 0 => Ok(true),
            Repeat::Until(condition) => {
                self.asked(step, count - 1, condition, "until").map(|is_enough| !is_enough)
            }
        };
        match goes_on {
            Ok(false) => self.succeed(step, place, 1, begun, item.clone(), None),
            Ok(true) if count < max_iterations => {
                let path = step.to_owned();
                vec![Fact::ItemsOpened {
                    path,
                    from: count,
                    to: count + 1,
                    ready: body.root_ids(),
                    nodes: None,
                }]
            }
            Ok(true) => {
                let message =
                    format!("it has gone round {max_iterations} times and would still go on");
                let failure = Failure::new("too_many_iterations", message);
                self.fail(step, place, 1, begun, failure)
            }
            Err(failure) => self.fail(step, place, 1, begun, failure),
        }
    }

    /// What a condition says about iteration `index`.
    fn asked(
        &self,
        step: &str,
        index: u32,
        condition: &Expression,
        field: &str,
    ) -> Result<bool, Failure> {
        let scope = path::item_scope(step, index);
        let names = RunNames { state: self.state, plan: self.plan, scope: &scope, ended: None };
        condition
            .holds(&Environment::new(&names, self.now))
            .map_err(|error| expression_failure(&format!("/config/{field}"), &error))
    }
}
