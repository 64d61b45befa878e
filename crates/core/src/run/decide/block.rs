//! Blocks: which body begins next, and what they have come to.

use std::sync::Arc;

use super::Decider;
use super::finish::together;
use crate::run::event::Fact;
use crate::run::state::BlockOf;

impl Decider<'_> {
    /// A block that has room for further bodies.
    pub(super) fn open_bodies(&self, step: &str) -> Vec<Fact> {
        let block = self.state.steps.get(step).and_then(|step| step.block.as_ref());
        let body = self.locate(step).and_then(|(_, node)| node.body.as_ref());
        let (Some(block), Some(body)) = (block, body) else { return self.lost(step) };
        match &block.of {
            BlockOf::Map { .. } => self.open_items(step, block, body),
            BlockOf::Loop { item, max_iterations } => {
                self.go_round(step, block, (item, *max_iterations))
            }
        }
    }

    /// A block all of whose bodies are over: it has an output, or has failed with them.
    pub(super) fn finish_block(&self, path: &str) -> Vec<Fact> {
        let step = self.state.steps.get(path);
        let block = step.and_then(|step| step.block.as_ref());
        let (Some(step), Some(block), Some(place)) = (step, block, self.locate(path)) else {
            return self.lost(path);
        };
        let result = if block.failures.is_empty() {
            match &block.of {
                BlockOf::Map { results, .. } => Self::gather(results).map(Arc::new),
                BlockOf::Loop { item, .. } => Ok(item.clone()),
            }
        } else {
            Err(together(&block.failures, block.failure_count, self.plan.on_failure))
        };
        match result {
            Ok(output) => self.succeed(path, place, step.attempt, step.started_at, output, None),
            Err(error) => self.fail(path, place, step.attempt, step.started_at, error),
        }
    }
}
