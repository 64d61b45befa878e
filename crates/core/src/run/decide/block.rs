//! Blocks: which body begins next, and what they have come to.

use std::sync::Arc;

use super::Decider;
use super::finish::together;
use crate::run::event::{Cause, Fact};
use crate::run::state::BlockOf;

impl Decider<'_> {
    /// A block that has room for further bodies.
    pub(super) fn open_bodies(&self, step: &str) -> Vec<Fact> {
        let block = self.state.steps.get(step).and_then(|step| step.block.as_ref());
        let (Some(block), Some((_, node))) = (block, self.locate(step)) else {
            return self.lost(step);
        };
        match (&block.of, node.body(0)) {
            (BlockOf::Map { .. }, Some(body)) => self.open_items(step, block, body),
            (BlockOf::Loop { item, max_iterations }, Some(_)) => {
                self.go_round(step, block, (item, *max_iterations))
            }
            (BlockOf::Try { .. }, Some(_)) => self.go_on_trying(step, block),
            _ => self.lost(step),
        }
    }

    /// A block all of whose bodies are over: it has an output, or has failed with them.
    pub(super) fn finish_block(&self, path: &str) -> Vec<Fact> {
        let step = self.state.steps.get(path);
        let block = step.and_then(|step| step.block.as_ref());
        let (Some(step), Some(block), Some(place)) = (step, block, self.locate(path)) else {
            return self.lost(path);
        };
        let result = match (&block.stopping, &block.of) {
            (Some(stop), _) => match &stop.cause {
                Cause::Failed(error) => Err(error.clone()),
                cause => return self.cancel_step(path, cause.reason()),
            },
            _ if block.failure_count > block.tolerated() => {
                Err(together(&block.failures, block.failure_count, self.plan.on_failure))
            }
            (None, BlockOf::Map { results, keys, .. }) => {
                Self::gather(results, keys.as_deref()).map(Arc::new)
            }
            (None, BlockOf::Loop { item, .. }) => Ok(item.clone()),
            (None, BlockOf::Try { .. }) => return self.lost(path),
        };
        match result {
            Ok(output) => self.succeed(path, place, step.attempt, step.started_at, output, None),
            Err(error) => self.fail(path, place, step.attempt, step.started_at, error),
        }
    }
}
