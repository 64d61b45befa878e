use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FAILURES_KEPT_MAX, Stop};
use crate::failure::Failure;

/// A block in progress: bodies that run under a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::run) struct Block {
    /// How many nodes a body has.
    pub(in crate::run) nodes: u32,
    /// How many bodies have begun.
    pub(in crate::run) opened: u32,
    /// How many of them are over.
    pub(in crate::run) settled: u32,
    pub(in crate::run) failures: Vec<Failure>,
    pub(in crate::run) failure_count: u32,
    pub(in crate::run) stopping: Option<Box<Stop>>,
    pub(in crate::run) of: BlockOf,
}

/// What kind of block it is, and what it has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::run) enum BlockOf {
    /// A body for each item, side by side.
    Map {
        items: Arc<Vec<Value>>,
        concurrency: Option<u32>,
        keys: Option<Arc<Vec<String>>>,
        tolerate: Option<u32>,
        /// By item; null for items that have none yet.
        results: Vec<Arc<Value>>,
    },
    /// One body again and again.
    Loop {
        /// What the next iteration begins with: the output of the one before.
        item: Arc<Value>,
        max_iterations: u32,
    },
    /// A body, then others that depend on how it went.
    Try {
        /// The number of the body that runs last in any case.
        finally: Option<u32>,
        /// The body that has begun last.
        last: Option<u32>,
        #[serde(with = "super::maybe")]
        output: Option<Arc<Value>>,
        error: Option<Failure>,
        /// Whether something around it is being stopped.
        is_cancelled: bool,
    },
}

impl Block {
    pub(in crate::run) fn new(nodes: u32, of: BlockOf) -> Block {
        Block {
            nodes,
            opened: 0,
            settled: 0,
            failures: Vec::new(),
            failure_count: 0,
            stopping: None,
            of,
        }
    }

    /// How many further bodies may begin now. Of a loop, whether it is time to ask.
    pub(in crate::run) fn room(&self) -> u32 {
        if self.stopping.is_some() {
            return 0;
        }
        let running = self.opened.saturating_sub(self.settled);
        match &self.of {
            BlockOf::Map { items, concurrency, .. } => {
                let left =
                    u32::try_from(items.len()).unwrap_or(u32::MAX).saturating_sub(self.opened);
                left.min(concurrency.map_or(u32::MAX, |most| most.saturating_sub(running)))
            }
            BlockOf::Loop { .. } => u32::from(running == 0 && self.failure_count == 0),
            BlockOf::Try { .. } => u32::from(running == 0),
        }
    }

    /// Whether nothing is under way, and nothing will be.
    pub(in crate::run) fn is_filled(&self) -> bool {
        if self.stopping.is_some() {
            return self.settled == self.opened;
        }
        match &self.of {
            BlockOf::Map { items, .. } => self.settled as usize == items.len(),
            BlockOf::Loop { .. } => self.failure_count > 0 && self.settled == self.opened,
            BlockOf::Try { .. } => false,
        }
    }

    /// How many bodies may fail.
    pub(in crate::run) fn tolerated(&self) -> u32 {
        match &self.of {
            BlockOf::Map { tolerate, .. } => tolerate.unwrap_or(0),
            BlockOf::Loop { .. } | BlockOf::Try { .. } => 0,
        }
    }

    /// Whether there are bodies besides one that has just ended.
    pub(in crate::run) fn has_others(&self) -> bool {
        match &self.of {
            BlockOf::Map { items, .. } => (self.settled as usize) + 1 < items.len(),
            BlockOf::Loop { .. } | BlockOf::Try { .. } => false,
        }
    }

    /// Notes that bodies have begun.
    pub(in crate::run) fn open(&mut self, from: u32, to: u32) {
        match &mut self.of {
            // The bodies of a `try` that are not needed never begin.
            BlockOf::Try { last, .. } => {
                *last = Some(from);
                self.opened += 1;
            }
            _ => self.opened = to,
        }
    }

    /// What body `index` begins with.
    pub(in crate::run) fn item(&self, index: u32) -> Option<&Value> {
        match &self.of {
            BlockOf::Map { items, .. } => items.get(index as usize),
            BlockOf::Loop { item, .. } => Some(item),
            BlockOf::Try { .. } => None,
        }
    }

    /// Keeps the output of body `index`.
    pub(in crate::run) fn keep(&mut self, index: usize, result: &Arc<Value>) {
        match &mut self.of {
            BlockOf::Map { results, .. } => {
                if let Some(place) = results.get_mut(index) {
                    *place = result.clone();
                }
            }
            BlockOf::Loop { item, .. } => *item = result.clone(),
            BlockOf::Try { finally, output, error, .. } => {
                if finally.is_none_or(|finally| finally as usize != index) {
                    *output = Some(result.clone());
                    *error = None;
                }
            }
        }
    }

    /// Keeps the failure of body `index`.
    pub(in crate::run) fn fail(&mut self, index: usize, failure: &Failure) {
        match &mut self.of {
            BlockOf::Try { finally, error, .. } => {
                // A failed clean-up does not hide what made it necessary.
                if error.is_none() || finally.is_none_or(|finally| finally as usize != index) {
                    *error = Some(failure.clone());
                }
            }
            _ => {
                self.failure_count += 1;
                if self.failures.len() < FAILURES_KEPT_MAX {
                    self.failures.push(failure.clone());
                }
            }
        }
    }

    /// Notes that a body was stopped.
    pub(in crate::run) fn cancel(&mut self) {
        if let BlockOf::Try { is_cancelled, .. } = &mut self.of {
            *is_cancelled = true;
        }
    }
}
