use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::event::{Cause, RunCreated, Undo};
use super::{Counts, RunStatus, StepStatus, path};
use crate::definition::Effect;
use crate::expr::SecretSlot;
use crate::failure::Failure;
use crate::json;
use crate::time::Time;

/// Everything a run remembers: the fold of its events.
///
/// What is to be done next stands in small ordered sets (`ready`, `closing`, …), so that neither
/// deciding nor recovering looks at all steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// How it came to be.
    pub created: RunCreated,
    /// When it was created.
    pub created_at: Time,
    /// Where it stands.
    pub status: RunStatus,
    /// Why it stands there, in a word: `timer`, `retry`, `outcome_unknown`, `cancelling`, …
    pub reason: Option<String>,
    /// The output, once it has succeeded.
    #[serde(with = "maybe")]
    pub output: Option<Arc<Value>>,
    /// The error, once it has failed.
    pub error: Option<Failure>,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// How many steps stand where.
    pub counts: Counts,
    pub(super) steps: BTreeMap<Arc<str>, Step>,
    pub(super) scopes: BTreeMap<Arc<str>, Scope>,
    /// Steps in mid-life that are no blocks, in the order of their paths.
    pub(super) active: BTreeSet<Arc<str>>,
    pub(super) waits: Waits,
    pub(super) todo: Todo,
    pub(super) next_ordinal: u32,
    /// What undoes the steps that have succeeded, in the order in which they did.
    pub(super) undo: BTreeMap<u32, (Arc<str>, Undo)>,
    pub(super) next_undo: u32,
    /// How many steps are being undone.
    pub(super) undoing: u32,
    /// Every `try` that is open: it cleans up even if something around it is stopped.
    pub(super) trying: BTreeSet<Arc<str>>,
    pub(super) deadline: Option<Time>,
    pub(super) is_admitted: bool,
    pub(super) paused: Option<Pause>,
    /// Runs that steps have asked for and not waited for, by step.
    pub(super) children: BTreeMap<Arc<str>, Uuid>,
}

/// Who has paused a run, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When.
    pub at: Time,
    /// Who.
    pub by: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// One step of a run, while the run is going.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in the order in which the steps of the run came up, from 0.
    pub ordinal: u32,
    /// Where it stands.
    pub status: StepStatus,
    /// The kind of its node. Empty before its turn has come.
    pub kind: Arc<str>,
    /// The current or last attempt; 0 before the first.
    pub attempt: u32,
    /// Why it stands where it stands, in a word.
    pub reason: Option<Arc<str>>,
    /// The rendered config, for attempts still to be made.
    #[serde(with = "maybe")]
    pub input: Option<Arc<Value>>,
    /// Where secrets go in it.
    pub secrets: Vec<SecretSlot>,
    /// The output, once it has succeeded.
    #[serde(with = "maybe")]
    pub output: Option<Arc<Value>>,
    /// Why it failed, or why its last attempt did.
    pub error: Option<Box<Failure>>,
    /// What repeating an attempt would do to the world.
    pub effect: Effect,
    /// When its turn came.
    pub queued_at: Option<Time>,
    /// When its first attempt began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// Until when it waits.
    pub until: Option<Time>,
    /// Attempts lost to crashes. They do not count against `max_attempts`.
    pub interruptions: u32,
    pub(super) edges_known: u32,
    pub(super) edges_taken: u32,
    /// Whether its turn has come or never will.
    pub(super) is_decided: bool,
    /// The nodes whose edges led here.
    pub(super) via: Vec<Arc<str>>,
    pub(super) block: Option<Box<Block>>,
    /// The place because of which it undoes another step.
    pub(super) undoes: Option<Arc<str>>,
    /// The run it has asked for.
    pub(super) child: Option<Child>,
}

/// A run that a step has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// Its id.
    pub run_id: Uuid,
    /// Whether the step waits for its end, and not only for its beginning.
    pub awaited: bool,
}

/// A graph in progress: the run's own, or that of an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Scope {
    pub(super) nodes: u32,
    pub(super) settled: u32,
    /// Failures nothing in the definition provides for. Only the first ones are kept.
    pub(super) failures: Vec<Failure>,
    pub(super) failure_count: u32,
    pub(super) stopping: Option<Box<Stop>>,
    /// The visit of each node that has been jumped back to.
    pub(super) visits: BTreeMap<Arc<str>, u32>,
}

/// Why a scope or block is being stopped, and what may still run in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stop {
    pub(super) cause: Cause,
    pub(super) keep: Vec<String>,
    pub(super) force: bool,
}

/// A block in progress: bodies that run under a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Block {
    /// How many nodes a body has.
    pub(super) nodes: u32,
    /// How many bodies have begun.
    pub(super) opened: u32,
    /// How many of them are over.
    pub(super) settled: u32,
    pub(super) failures: Vec<Failure>,
    pub(super) failure_count: u32,
    pub(super) stopping: Option<Box<Stop>>,
    pub(super) of: BlockOf,
}

/// What kind of block it is, and what it has come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum BlockOf {
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
        #[serde(with = "maybe")]
        output: Option<Arc<Value>>,
        error: Option<Failure>,
        /// Whether something around it is being stopped.
        is_cancelled: bool,
    },
}

/// How many steps wait for what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Waits {
    pub(super) timer: u32,
    pub(super) retry: u32,
    pub(super) unknown: u32,
    pub(super) child: u32,
}

impl Waits {
    pub(super) fn total(&self) -> usize {
        (self.timer + self.retry + self.unknown + self.child) as usize
    }
}

/// What is to be decided next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Todo {
    /// Steps whose turn has come, by ordinal.
    pub(super) ready: BTreeMap<u32, Arc<str>>,
    /// Steps that will never run, by ordinal.
    pub(super) dead: BTreeMap<u32, Arc<str>>,
    /// Blocks that may open further items.
    pub(super) opening: BTreeSet<Arc<str>>,
    /// Scopes all of whose steps are over.
    pub(super) closing: BTreeSet<Arc<str>>,
    /// Blocks all of whose items are over.
    pub(super) filled: BTreeSet<Arc<str>>,
    /// Places where everything is still to be told to end.
    pub(super) stopping: BTreeSet<Arc<str>>,
}

/// An output that may be null is not the same as no output: one is written as `[null]`, the other
/// as `[]`.
mod maybe {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Arc<Value>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<Value>>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.pop())
    }
}

/// Failures kept of a scope or block. The rest are counted.
pub(super) const FAILURES_KEPT_MAX: usize = 100;

impl Step {
    fn bytes(&self) -> usize {
        let size = |value: &Arc<Value>| json::size(value);
        let block = match self.block.as_deref().map(|block| &block.of) {
            Some(BlockOf::Map { items, results, .. }) => {
                let items: usize = items.iter().map(json::size).sum();
                items + results.iter().map(size).sum::<usize>()
            }
            Some(BlockOf::Loop { item, .. }) => json::size(item),
            _ => 0,
        };
        self.input.as_ref().map_or(0, size) + self.output.as_ref().map_or(0, size) + block
    }
}

impl RunState {
    /// Bytes of all values in memory, as JSON. It looks at each of them.
    pub fn bytes(&self) -> u64 {
        let steps: usize = self.steps.values().map(Step::bytes).sum();
        u64::try_from(steps + json::size(&self.created.input)).unwrap_or(u64::MAX)
    }

    /// The step at `path`, if its turn has come up and its item is not over.
    pub fn step(&self, path: &str) -> Option<&Step> {
        self.steps.get(path)
    }

    /// All steps in memory, by path. Those of items that are over have been let go.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &Step)> {
        self.steps.iter().map(|(path, step)| (&**path, step))
    }

    /// The input.
    pub fn input(&self) -> &Arc<Value> {
        &self.created.input
    }

    /// Until when the run has to be over, unless it is on its way out already.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// Whether there is nothing to do before a time or a decision: the run may leave memory.
    pub fn is_parked(&self) -> bool {
        match self.status {
            RunStatus::Waiting => self.todo == Todo::default(),
            RunStatus::Paused => self.waits.total() == self.active.len(),
            RunStatus::Queued => self.awaits_admission(),
            _ => false,
        }
    }

    /// Who has paused it, if it is paused.
    pub fn pause(&self) -> Option<&Pause> {
        self.paused.as_ref()
    }

    /// Whether it has to be admitted before it begins, and was not yet.
    pub fn awaits_admission(&self) -> bool {
        self.created.held && !self.is_admitted && !self.status.is_terminal()
    }

    /// Whether the run is being stopped and nothing may clean up.
    pub fn is_forced_out(&self) -> bool {
        let stop = self.scopes.get("").and_then(|scope| scope.stopping.as_ref());
        stop.is_some_and(|stop| stop.force)
    }

    /// Runs that its steps have asked for and not waited for.
    pub fn children(&self) -> impl Iterator<Item = (&str, Uuid)> {
        self.children.iter().map(|(path, child)| (&**path, *child))
    }

    /// The earliest time a step waits for.
    pub fn next_due(&self) -> Option<Time> {
        self.active.iter().filter_map(|path| self.steps.get(path)?.until).min()
    }

    /// The number and the item of the closest body around `scope` that has one.
    pub(super) fn item_of<'a>(&'a self, scope: &'a str) -> Option<(u32, &'a Value)> {
        self.around(scope).find_map(|(block, index)| Some((index, block.item(index)?)))
    }

    /// Why the body of the closest `try` around `scope` has failed.
    pub(super) fn caught_in<'a>(&'a self, scope: &'a str) -> Option<&'a Failure> {
        self.around(scope)
            .find_map(|(block, _)| match &block.of {
                BlockOf::Try { error, .. } => Some(error.as_ref()),
                _ => None,
            })
            .flatten()
    }

    /// The blocks around `scope` with the numbers of their bodies, the closest first.
    fn around<'a>(&'a self, scope: &'a str) -> impl Iterator<Item = (&'a Block, u32)> {
        std::iter::successors(path::block_of(scope), |(step, _)| {
            path::block_of(path::scope_of(step))
        })
        .filter_map(|(step, index)| Some((self.steps.get(step)?.block.as_deref()?, index)))
    }

    /// What the graph of `scope` was started with.
    pub(super) fn scope_input(&self, scope: &str) -> Arc<Value> {
        match self.item_of(scope) {
            None => self.created.input.clone(),
            Some((_, item)) => Arc::new(item.clone()),
        }
    }

    /// The address of a node's step in `scope`: that of its latest visit.
    pub(super) fn path_in<'a>(&self, scope: &str, node: &'a str) -> Cow<'a, str> {
        match self.visit(scope, node) {
            1 if scope.is_empty() => Cow::Borrowed(node),
            1 => Cow::Owned(path::join(scope, node)),
            visit => Cow::Owned(path::join(scope, &path::visit(node, visit))),
        }
    }

    /// Which visit of a node is the latest, from 1.
    pub(super) fn visit(&self, scope: &str, node: &str) -> u32 {
        let visits = self.scopes.get(scope).map(|scope| &scope.visits);
        let visits = visits.filter(|visits| !visits.is_empty());
        visits.and_then(|visits| visits.get(node)).copied().unwrap_or(1)
    }

    /// The step that a node's name stands for: the latest visit or, until that is over, the one
    /// before.
    pub(super) fn named(&self, scope: &str, node: &str) -> Option<&Step> {
        let visit = self.visit(scope, node);
        let latest = self.steps.get(&*self.path_in(scope, node));
        if visit < 2 || latest.is_some_and(|step| step.status.is_terminal()) {
            return latest;
        }
        let before = path::join(scope, &path::visit(node, visit - 1));
        self.steps.get(before.as_str()).or(latest)
    }

    /// The outputs of the nodes whose edges led to the step.
    pub(super) fn upstream(&self, step_path: &str) -> Vec<(String, Arc<Value>)> {
        let scope = path::scope_of(step_path);
        let Some(step) = self.steps.get(step_path) else { return Vec::new() };
        step.via
            .iter()
            .filter_map(|id| {
                let source = self.named(scope, id)?;
                Some((id.to_string(), source.output.clone()?))
            })
            .collect()
    }
}

impl Step {
    /// The run it has asked for.
    pub fn child(&self) -> Option<&Child> {
        self.child.as_ref()
    }

    pub(super) fn new(ordinal: u32) -> Step {
        Step {
            ordinal,
            status: StepStatus::Pending,
            kind: Arc::from(""),
            attempt: 0,
            reason: None,
            input: None,
            secrets: Vec::new(),
            output: None,
            error: None,
            effect: Effect::Safe,
            queued_at: None,
            started_at: None,
            finished_at: None,
            until: None,
            interruptions: 0,
            edges_known: 0,
            edges_taken: 0,
            is_decided: false,
            via: Vec::new(),
            block: None,
            undoes: None,
            child: None,
        }
    }
}

impl Block {
    pub(super) fn new(nodes: u32, of: BlockOf) -> Block {
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
    pub(super) fn room(&self) -> u32 {
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
    pub(super) fn is_filled(&self) -> bool {
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
    pub(super) fn tolerated(&self) -> u32 {
        match &self.of {
            BlockOf::Map { tolerate, .. } => tolerate.unwrap_or(0),
            BlockOf::Loop { .. } | BlockOf::Try { .. } => 0,
        }
    }

    /// Whether there are bodies besides one that has just ended.
    pub(super) fn has_others(&self) -> bool {
        match &self.of {
            BlockOf::Map { items, .. } => (self.settled as usize) + 1 < items.len(),
            BlockOf::Loop { .. } | BlockOf::Try { .. } => false,
        }
    }

    /// Notes that bodies have begun.
    pub(super) fn open(&mut self, from: u32, to: u32) {
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
    pub(super) fn item(&self, index: u32) -> Option<&Value> {
        match &self.of {
            BlockOf::Map { items, .. } => items.get(index as usize),
            BlockOf::Loop { item, .. } => Some(item),
            BlockOf::Try { .. } => None,
        }
    }

    /// Keeps the output of body `index`.
    pub(super) fn keep(&mut self, index: usize, result: &Arc<Value>) {
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
    pub(super) fn fail(&mut self, index: usize, failure: &Failure) {
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
    pub(super) fn cancel(&mut self) {
        if let BlockOf::Try { is_cancelled, .. } = &mut self.of {
            *is_cancelled = true;
        }
    }
}
