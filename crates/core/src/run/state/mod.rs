mod block;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub(in crate::run) use block::{Block, BlockOf};

use super::event::{CacheUse, Cause, Decision, Holder, Resume, RunCreated, TaskTerms, Undo};
use super::observed::Observed;
use super::token::Tokens;
use super::{Counts, RunStatus, StepStatus, path};
use crate::definition::Effect;
use crate::expr::SecretSlot;
use crate::failure::Failure;
use crate::json;
use crate::kinds::Awaits;
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
    pub(in crate::run) steps: BTreeMap<Arc<str>, Step>,
    pub(in crate::run) scopes: BTreeMap<Arc<str>, Scope>,
    /// Steps in mid-life that are no blocks, in the order of their paths.
    pub(in crate::run) active: BTreeSet<Arc<str>>,
    pub(in crate::run) waits: Waits,
    pub(in crate::run) todo: Todo,
    pub(in crate::run) next_ordinal: u32,
    /// What undoes the steps that have succeeded, in the order in which they did.
    pub(in crate::run) undo: BTreeMap<u32, (Arc<str>, Undo)>,
    pub(in crate::run) next_undo: u32,
    /// How many steps are being undone.
    pub(in crate::run) undoing: u32,
    /// Every `try` that is open: it cleans up even if something around it is stopped.
    pub(in crate::run) trying: BTreeSet<Arc<str>>,
    pub(in crate::run) deadline: Option<Time>,
    pub(in crate::run) is_admitted: bool,
    pub(in crate::run) paused: Option<Pause>,
    /// Runs that steps have asked for and not waited for, by step.
    pub(in crate::run) children: BTreeMap<Arc<str>, Uuid>,
    /// Signals that no step has taken, by name, the oldest first.
    pub(in crate::run) inbox: BTreeMap<Arc<str>, VecDeque<Signal>>,
    /// Steps that wait for a signal, by its name, in the order in which they came up.
    pub(in crate::run) listeners: BTreeMap<Arc<str>, BTreeMap<u32, Arc<str>>>,
    pub(in crate::run) signal_count: u32,
    /// What senders call their signals.
    pub(in crate::run) signal_ids: BTreeSet<Arc<str>>,
    /// Its units of work, if actors drive it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::run) tokens: Option<Box<Tokens>>,
    /// What is known of it, if another program drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::run) observed: Option<Box<Observed>>,
    /// Workflows of which the run's end has started a run, each with that end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::run) triggered: Vec<(RunStatus, Uuid)>,
}

/// A step whose attempts are made by workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTask {
    /// How it is offered.
    pub terms: TaskTerms,
    /// Since when its attempt is offered.
    pub offered_at: Time,
    /// How often it was handed over. It only grows.
    pub fence: u64,
    /// Who has it.
    pub holder: Option<Holder>,
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
    pub(in crate::run) edges_known: u32,
    pub(in crate::run) edges_taken: u32,
    /// Whether its turn has come or never will.
    pub(in crate::run) is_decided: bool,
    /// The nodes whose edges led here.
    pub(in crate::run) via: Vec<Arc<str>>,
    pub(in crate::run) block: Option<Box<Block>>,
    /// The place because of which it undoes another step.
    pub(in crate::run) undoes: Option<Arc<str>>,
    /// The run it has asked for.
    pub(in crate::run) child: Option<Child>,
    /// The word it waits for.
    pub(in crate::run) ask: Option<Box<Ask>>,
    /// What its attempts have recorded, in order.
    pub(in crate::run) records: Vec<Record>,
    /// Where an earlier output may be found, and this one be kept.
    pub(in crate::run) cache: Option<Box<CacheUse>>,
    /// Attempts that have ended with a question. They do not count against `max_attempts`.
    pub(in crate::run) suspensions: u32,
    /// How workers make its attempts, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::run) task: Option<Box<StepTask>>,
}

/// What a step asks, and what it was answered so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Whose word it waits for.
    pub awaits: Awaits,
    /// What is asked: the config of an `approval`, a `wait_signal` or a `wait_event`.
    pub input: Arc<Value>,
    /// Since when.
    pub since: Time,
    /// The decisions so far.
    pub decisions: Vec<Decision>,
    /// The attempt that goes on with the answer, if one has asked.
    pub resumes: Option<Box<Resume>>,
}

/// What an attempt has recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which attempt did.
    pub attempt: u32,
    /// What it calls it.
    pub key: String,
    /// What it was.
    pub value: Arc<Value>,
}

/// A signal that no step has taken yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What came with it.
    pub payload: Arc<Value>,
    /// Who sent it.
    pub by: String,
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
pub(in crate::run) struct Scope {
    pub(in crate::run) nodes: u32,
    pub(in crate::run) settled: u32,
    /// Failures nothing in the definition provides for. Only the first ones are kept.
    pub(in crate::run) failures: Vec<Failure>,
    pub(in crate::run) failure_count: u32,
    pub(in crate::run) stopping: Option<Box<Stop>>,
    /// The visit of each node that has been jumped back to.
    pub(in crate::run) visits: BTreeMap<Arc<str>, u32>,
}

/// Why a scope or block is being stopped, and what may still run in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::run) struct Stop {
    pub(in crate::run) cause: Cause,
    pub(in crate::run) keep: Vec<String>,
    pub(in crate::run) force: bool,
}

/// How many steps wait for what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::run) struct Waits {
    pub(in crate::run) timer: u32,
    pub(in crate::run) retry: u32,
    pub(in crate::run) unknown: u32,
    pub(in crate::run) child: u32,
    pub(in crate::run) approval: u32,
    pub(in crate::run) signal: u32,
    pub(in crate::run) event: u32,
    pub(in crate::run) task: u32,
}

impl Waits {
    pub(in crate::run) fn total(&self) -> usize {
        let Waits { timer, retry, unknown, child, approval, signal, event, task } = self;
        (timer + retry + unknown + child + approval + signal + event + task) as usize
    }

    pub(in crate::run) fn word(&mut self, awaits: &Awaits) -> &mut u32 {
        match awaits {
            Awaits::Approval => &mut self.approval,
            Awaits::Signal(_) => &mut self.signal,
            Awaits::Event(_) => &mut self.event,
        }
    }
}

/// What is to be decided next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::run) struct Todo {
    /// Steps whose turn has come, by ordinal.
    pub(in crate::run) ready: BTreeMap<u32, Arc<str>>,
    /// Steps that will never run, by ordinal.
    pub(in crate::run) dead: BTreeMap<u32, Arc<str>>,
    /// Blocks that may open further items.
    pub(in crate::run) opening: BTreeSet<Arc<str>>,
    /// Scopes all of whose steps are over.
    pub(in crate::run) closing: BTreeSet<Arc<str>>,
    /// Blocks all of whose items are over.
    pub(in crate::run) filled: BTreeSet<Arc<str>>,
    /// Places where everything is still to be told to end.
    pub(in crate::run) stopping: BTreeSet<Arc<str>>,
}

/// An output that may be null is not the same as no output: one is written as `[null]`, the other
/// as `[]`.
mod maybe {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub(in crate::run) fn serialize<S: Serializer>(
        value: &Option<Arc<Value>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_slice().serialize(serializer)
    }

    pub(in crate::run) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<Value>>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.pop())
    }
}

/// Failures kept of a scope or block. The rest are counted.
pub(in crate::run) const FAILURES_KEPT_MAX: usize = 100;

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
        let records: usize = self.records.iter().map(|record| size(&record.value)).sum();
        let values = self.input.as_ref().map_or(0, size) + self.output.as_ref().map_or(0, size);
        values + records + block
    }
}

impl RunState {
    /// Bytes of all values in memory, as JSON. It looks at each of them.
    pub fn bytes(&self) -> u64 {
        let steps: usize = self.steps.values().map(Step::bytes).sum();
        let signals = self.inbox.values().flatten();
        let signals: usize = signals.map(|signal| json::size(&signal.payload)).sum();
        let units = self.tokens.iter().flat_map(|tokens| tokens.units.values());
        let attributes = units.flat_map(|unit| unit.attributes.values());
        let attributes: usize = attributes.map(|one| json::size(&one.value)).sum();
        let all = steps + signals + attributes + json::size(&self.created.input);
        u64::try_from(all).unwrap_or(u64::MAX)
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
        let said = self.observed.as_deref().and_then(Observed::params);
        said.unwrap_or(&self.created.input)
    }

    /// What is known of it, if another program drives it.
    pub fn observed(&self) -> Option<&Observed> {
        self.observed.as_deref()
    }

    /// Whether its ending so has started a run of a workflow already.
    pub fn has_triggered(&self, status: RunStatus, workflow_id: Uuid) -> bool {
        self.triggered.contains(&(status, workflow_id))
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
            RunStatus::Running => self.observed.is_some(),
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

    /// The earliest time a step or a unit of work waits for.
    pub fn next_due(&self) -> Option<Time> {
        let units = self.tokens.iter().flat_map(|tokens| tokens.times());
        let steps = self.active.iter().filter_map(|path| self.steps.get(path)?.until);
        steps.chain(units.map(|(_, due)| due)).min()
    }

    /// Its units of work, if actors drive it.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_deref()
    }

    /// The number and the item of the closest body around `scope` that has one.
    pub(in crate::run) fn item_of<'a>(&'a self, scope: &'a str) -> Option<(u32, &'a Value)> {
        self.around(scope).find_map(|(block, index)| Some((index, block.item(index)?)))
    }

    /// Why the body of the closest `try` around `scope` has failed.
    pub(in crate::run) fn caught_in<'a>(&'a self, scope: &'a str) -> Option<&'a Failure> {
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
    pub(in crate::run) fn scope_input(&self, scope: &str) -> Arc<Value> {
        match self.item_of(scope) {
            None => self.created.input.clone(),
            Some((_, item)) => Arc::new(item.clone()),
        }
    }

    /// The address of a node's step in `scope`: that of its latest visit.
    pub(in crate::run) fn path_in<'a>(&self, scope: &str, node: &'a str) -> Cow<'a, str> {
        match self.visit(scope, node) {
            1 if scope.is_empty() => Cow::Borrowed(node),
            1 => Cow::Owned(path::join(scope, node)),
            visit => Cow::Owned(path::join(scope, &path::visit(node, visit))),
        }
    }

    /// Which visit of a node is the latest, from 1.
    pub(in crate::run) fn visit(&self, scope: &str, node: &str) -> u32 {
        let visits = self.scopes.get(scope).map(|scope| &scope.visits);
        let visits = visits.filter(|visits| !visits.is_empty());
        visits.and_then(|visits| visits.get(node)).copied().unwrap_or(1)
    }

    /// The step that a node's name stands for: the latest visit or, until that is over, the one
    /// before.
    pub(in crate::run) fn named(&self, scope: &str, node: &str) -> Option<&Step> {
        let visit = self.visit(scope, node);
        let latest = self.steps.get(&*self.path_in(scope, node));
        if visit < 2 || latest.is_some_and(|step| step.status.is_terminal()) {
            return latest;
        }
        let before = path::join(scope, &path::visit(node, visit - 1));
        self.steps.get(before.as_str()).or(latest)
    }

    /// The outputs of the nodes whose edges led to the step.
    pub(in crate::run) fn upstream(&self, step_path: &str) -> Vec<(String, Arc<Value>)> {
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
    /// The word it waits for.
    pub fn ask(&self) -> Option<&Ask> {
        self.ask.as_deref()
    }

    /// How workers make its attempts, if they do.
    pub fn task(&self) -> Option<&StepTask> {
        self.task.as_deref()
    }

    /// Where an earlier output may be found, and this one be kept.
    pub fn cache(&self) -> Option<&CacheUse> {
        self.cache.as_deref()
    }

    /// What its attempts have recorded, in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The run it has asked for.
    pub fn child(&self) -> Option<&Child> {
        self.child.as_ref()
    }

    /// Until when an attempt has to be over that workers make and that is offered at `at`.
    pub(in crate::run) fn task_until(&self, at: Time) -> Option<Time> {
        let timeout = self.task.as_ref()?.terms.timeout?;
        Some(at.plus(timeout.0))
    }

    pub(in crate::run) fn new(ordinal: u32) -> Step {
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
            ask: None,
            records: Vec::new(),
            cache: None,
            suspensions: 0,
            task: None,
        }
    }
}
