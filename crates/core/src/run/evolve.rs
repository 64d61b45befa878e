//! Remembering: what each event does to the state. Nothing here evaluates an expression or knows a
//! definition, so a journal folds to the same state whatever version reads it.

use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use super::event::{Again, Cause, EdgeDecision, Event, Fact, RunCreated, Then, Undo};
use super::path::UNDO;
use super::state::{
    Block, BlockOf, Child, FAILURES_KEPT_MAX, Pause, Scope, Step, Stop, Todo, Waits,
};
use super::{Counts, RunState, RunStatus, StepStatus, path};
use crate::failure::Failure;
use crate::time::Time;

/// Words for why a step or run stands where it stands.
mod reason {
    pub(super) const TIMER: &str = "timer";
    pub(super) const RETRY: &str = "retry";
    pub(super) const INTERRUPTED: &str = "interrupted";
    pub(super) const OUTCOME_UNKNOWN: &str = "outcome_unknown";
    pub(super) const CANCELLING: &str = "cancelling";
    pub(super) const FAILING: &str = "failing";
    pub(super) const MARKED: &str = "marked";
    pub(super) const COMPENSATING: &str = "compensating";
    pub(super) const REUSED: &str = "reused";
    pub(super) const PAUSED: &str = "paused";
    pub(super) const CHILD_RUN: &str = "child_run";
    pub(super) const CONCURRENCY: &str = "concurrency";
    pub(super) const HELD: &str = "held";
}

impl RunState {
    /// The state of a run of which only the first event has happened.
    ///
    /// Returns `None` if that is not [`Fact::RunCreated`].
    pub fn from_first(event: &Event) -> Option<RunState> {
        let Fact::RunCreated(created) = &event.fact else { return None };
        let mut state = RunState::new(RunCreated::clone(created), event.at);
        state.derive_status();
        Some(state)
    }

    /// Folds a whole journal. `None` if it does not begin with [`Fact::RunCreated`].
    pub fn replay<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<RunState> {
        let mut events = events.into_iter();
        let mut state = RunState::from_first(events.next()?)?;
        events.for_each(|event| state.evolve(event));
        Some(state)
    }

    fn new(created: RunCreated, created_at: Time) -> RunState {
        RunState {
            created,
            created_at,
            status: RunStatus::Queued,
            reason: None,
            output: None,
            error: None,
            started_at: None,
            finished_at: None,
            counts: Counts::default(),
            steps: Default::default(),
            scopes: Default::default(),
            active: Default::default(),
            waits: Waits::default(),
            todo: Todo::default(),
            next_ordinal: 0,
            undo: Default::default(),
            next_undo: 0,
            undoing: 0,
            trying: Default::default(),
            deadline: None,
            is_admitted: false,
            paused: None,
            children: Default::default(),
        }
    }

    /// Folds one event.
    pub fn evolve(&mut self, event: &Event) {
        let at = event.at;
        match &event.fact {
            Fact::RunCreated(_) => {}
            Fact::RunAdmitted {} => self.is_admitted = true,
            Fact::RunPaused { by, reason } => {
                self.paused = Some(Pause { at, by: by.clone(), reason: reason.clone() });
            }
            Fact::RunResumed { .. } => self.paused = None,
            Fact::RunStarted { nodes, ready, deadline } => {
                self.deadline = *deadline;
                self.status = RunStatus::Running;
                self.started_at = Some(at);
                self.open_scope("", *nodes);
                ready.iter().for_each(|node| self.make_ready(node));
            }
            Fact::StepQueued { path, kind, input, secrets, effect, undoes } => {
                if let Some(place) = undoes {
                    self.begin_undo(path, place);
                }
                let step = self.begin(path, kind, StepStatus::Queued, at);
                step.attempt = 1;
                step.input = Some(input.clone());
                step.secrets.clone_from(secrets);
                step.effect = *effect;
                self.activate(path);
            }
            Fact::AttemptStarted { path, attempt } => {
                self.set_status(path, StepStatus::Running, None);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.started_at.get_or_insert(at);
            }
            Fact::AttemptFailed { path, attempt, started_at, error, retry_at } => {
                self.back_off(path, reason::RETRY, *retry_at);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.started_at.get_or_insert(*started_at);
                step.error = Some(Box::new(error.clone()));
            }
            Fact::AttemptInterrupted { path, attempt, retry_at } => {
                self.back_off(path, reason::INTERRUPTED, *retry_at);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.interruptions += 1;
            }
            Fact::AttemptQueued { path, attempt } => {
                self.waits.retry = self.waits.retry.saturating_sub(1);
                self.set_status(path, StepStatus::Queued, None);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.until = None;
            }
            Fact::StepWaiting { path, kind, input, until } => {
                let step = self.begin(path, kind, StepStatus::Waiting, at);
                step.attempt = 1;
                step.input = Some(input.clone());
                step.started_at = Some(at);
                step.until = Some(*until);
                step.reason = Some(Arc::from(reason::TIMER));
                self.waits.timer += 1;
                self.activate(path);
            }
            Fact::ChildRequested { path, kind, input, child, awaited } => {
                let step = self.begin(path, kind, StepStatus::Waiting, at);
                step.attempt = 1;
                step.input = Some(input.clone());
                step.started_at = Some(at);
                step.child = Some(Child { run_id: *child, awaited: *awaited });
                step.reason = Some(Arc::from(reason::CHILD_RUN));
                self.waits.child += 1;
                self.activate(path);
            }
            Fact::StepParked { path, attempt } => {
                self.set_status(path, StepStatus::Waiting, Some(reason::OUTCOME_UNKNOWN));
                self.touch(path).attempt = *attempt;
                self.waits.unknown += 1;
            }
            Fact::StepSucceeded {
                path,
                kind,
                attempt,
                started_at,
                output,
                edges,
                undo,
                reused,
            } => {
                self.settle(path, kind.as_deref(), StepStatus::Succeeded, at);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.output = Some(output.clone());
                step.reason = reused.then(|| Arc::from(reason::REUSED));
                step.error = None;
                step.started_at = step.started_at.or(*started_at).or(Some(at));
                if let Some(Child { run_id, awaited: false }) = step.child {
                    self.children.insert(Arc::from(path.as_str()), run_id);
                }
                if let Some(undo) = undo {
                    let entry = (Arc::from(path.as_str()), Undo::clone(undo));
                    self.undo.insert(self.next_undo, entry);
                    self.next_undo += 1;
                }
                self.decide_edges(path, edges);
            }
            Fact::StepFailed { path, kind, attempt, started_at, error, edges, handled, reused } => {
                self.settle(path, kind.as_deref(), StepStatus::Failed, at);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.error = Some(Box::new(error.clone()));
                step.reason = reused.then(|| Arc::from(reason::REUSED));
                step.started_at = step.started_at.or(*started_at).or(Some(at));
                if !handled {
                    self.record_failure(path, error);
                }
                self.decide_edges(path, edges);
            }
            Fact::StepSkipped { path, kind, reason, edges } => {
                self.settle(path, Some(kind), StepStatus::Skipped, at);
                self.touch(path).reason = Some(Arc::from(reason.as_str()));
                self.decide_edges(path, edges);
            }
            Fact::StepCancelled { path, reason, edges } => {
                self.settle(path, None, StepStatus::Cancelled, at);
                self.touch(path).reason = Some(Arc::from(reason.as_str()));
                self.decide_edges(path, edges);
            }
            Fact::StepMarked { path, .. } => {
                if let Some(step) = self.steps.get_mut(path.as_str()) {
                    step.reason = Some(Arc::from(reason::MARKED));
                }
            }
            Fact::JumpedBack { path, to, again } => self.jump_back(path, to, again),
            Fact::MapOpened { path, kind, items, concurrency, keys, tolerate, nodes } => {
                let none_yet = Arc::new(Value::Null);
                let of = BlockOf::Map {
                    items: items.clone(),
                    concurrency: *concurrency,
                    keys: keys.clone(),
                    tolerate: *tolerate,
                    results: items.iter().map(|_| none_yet.clone()).collect(),
                };
                self.open_block(path, kind, Block::new(*nodes, of), at);
            }
            Fact::LoopOpened { path, kind, item, max_iterations, nodes } => {
                let of = BlockOf::Loop { item: item.clone(), max_iterations: *max_iterations };
                self.open_block(path, kind, Block::new(*nodes, of), at);
            }
            Fact::TryOpened { path, kind, finally } => {
                let of = BlockOf::Try {
                    finally: *finally,
                    last: None,
                    output: None,
                    error: None,
                    is_cancelled: false,
                };
                self.open_block(path, kind, Block::new(0, of), at);
                self.trying.insert(Arc::from(path.as_str()));
            }
            Fact::ItemsOpened { path, from, to, ready, nodes } => {
                let nodes = self.block_of(path).map_or(0, |block| {
                    block.open(*from, *to);
                    nodes.unwrap_or(block.nodes)
                });
                for index in *from..*to {
                    let scope = path::item_scope(path, index);
                    self.open_scope(&scope, nodes);
                    ready.iter().for_each(|node| self.make_ready(&path::join(&scope, node)));
                }
                self.look_for_room(path);
            }
            Fact::ItemSucceeded { scope, output } => {
                self.close_item(scope, |block, index| block.keep(index, output));
            }
            Fact::ItemFailed { scope, error } => {
                self.close_item(scope, |block, index| block.fail(index, error));
            }
            Fact::ItemCancelled { scope } => self.close_item(scope, |block, _| block.cancel()),
            Fact::Stopping { at: place, cause, keep, force, .. } => {
                self.stop(place, Stop { cause: cause.clone(), keep: keep.clone(), force: *force });
            }
            Fact::Stopped { at: place } => {
                self.todo.stopping.remove(place.as_str());
            }
            Fact::RunSucceeded { output } => {
                self.output = Some(output.clone());
                self.finish(RunStatus::Succeeded, None, at);
            }
            Fact::RunFailed { error } => {
                self.error = Some(error.clone());
                self.finish(RunStatus::Failed, None, at);
            }
            Fact::RunCancelled { reason, .. } => {
                self.finish(RunStatus::Cancelled, reason.clone(), at);
            }
        }
        self.derive_status();
    }

    fn open_scope(&mut self, scope: &str, nodes: u32) {
        self.counts.add(StepStatus::Pending, nodes);
        self.scopes.insert(Arc::from(scope), Scope { nodes, ..Scope::default() });
    }

    /// The step at `path`, which comes up now if it has not before.
    fn touch(&mut self, path: &str) -> &mut Step {
        if !self.steps.contains_key(path) {
            self.steps.insert(Arc::from(path), Step::new(self.next_ordinal));
            self.next_ordinal += 1;
        }
        self.steps.get_mut(path).expect("it was inserted if it was missing")
    }

    fn make_ready(&mut self, path: &str) {
        let step = self.touch(path);
        step.is_decided = true;
        let ordinal = step.ordinal;
        self.todo.ready.insert(ordinal, Arc::from(path));
    }

    fn set_status(&mut self, path: &str, status: StepStatus, reason: Option<&str>) {
        let step = self.touch(path);
        let (before, ordinal) = (step.status, step.ordinal);
        step.status = status;
        step.reason = reason.map(Arc::from);
        step.is_decided = true;
        self.counts.shift(before, status);
        if before == StepStatus::Pending {
            self.todo.ready.remove(&ordinal);
            self.todo.dead.remove(&ordinal);
        }
    }

    fn begin(&mut self, path: &str, kind: &str, status: StepStatus, at: Time) -> &mut Step {
        self.set_status(path, status, None);
        let step = self.touch(path);
        step.kind = Arc::from(kind);
        step.queued_at = Some(at);
        step
    }

    fn activate(&mut self, path: &str) {
        self.active.insert(Arc::from(path));
    }

    fn back_off(&mut self, path: &str, reason: &str, until: Time) {
        self.set_status(path, StepStatus::BackingOff, Some(reason));
        self.touch(path).until = Some(until);
        self.waits.retry += 1;
    }

    /// A step is over, whichever way.
    fn settle(&mut self, path: &str, kind: Option<&str>, status: StepStatus, at: Time) {
        self.leave_wait(path);
        self.set_status(path, status, None);
        let step = self.touch(path);
        if let Some(kind) = kind {
            step.kind = Arc::from(kind);
            step.queued_at.get_or_insert(at);
        }
        step.finished_at = Some(at);
        step.until = None;
        step.input = None;
        step.secrets = Vec::new();
        step.block = None;
        let undoes = step.undoes.take();
        self.active.remove(path);
        self.trying.remove(path);
        self.todo.opening.remove(path);
        self.todo.filled.remove(path);
        self.todo.stopping.remove(path);
        if let Some(place) = undoes {
            return self.end_undo(&place);
        }
        let scope_path = path::scope_of(path);
        if let Some(scope) = self.scopes.get_mut(scope_path) {
            scope.settled += 1;
            if scope.settled == scope.nodes {
                self.todo.closing.insert(Arc::from(scope_path));
            }
        }
    }

    fn leave_wait(&mut self, path: &str) {
        let Some(step) = self.steps.get(path) else { return };
        let wait = match (step.status, step.reason.as_deref()) {
            (StepStatus::BackingOff, _) => &mut self.waits.retry,
            (StepStatus::Waiting, Some(reason::OUTCOME_UNKNOWN)) => &mut self.waits.unknown,
            (StepStatus::Waiting, Some(reason::CHILD_RUN)) => &mut self.waits.child,
            (StepStatus::Waiting, _) => &mut self.waits.timer,
            _ => return,
        };
        *wait = wait.saturating_sub(1);
    }

    fn decide_edges(&mut self, source: &str, edges: &[EdgeDecision]) {
        let scope = path::scope_of(source).to_owned();
        let source_id: Arc<str> = Arc::from(path::node_of(source));
        for edge in edges {
            let target_path = self.path_in(&scope, &edge.to).into_owned();
            let target = self.touch(&target_path);
            target.edges_known += 1;
            if edge.taken {
                target.edges_taken += 1;
                target.via.push(source_id.clone());
            }
            if edge.then == Then::Wait || target.is_decided {
                continue;
            }
            target.is_decided = true;
            let ordinal = target.ordinal;
            let list =
                if edge.then == Then::Run { &mut self.todo.ready } else { &mut self.todo.dead };
            list.insert(ordinal, Arc::from(target_path));
        }
    }

    /// Nodes are to run again: what has begun gets a new step, and what has not forgets what led
    /// to it.
    fn jump_back(&mut self, source: &str, to: &str, again: &[Again]) {
        let scope_path = path::scope_of(source).to_owned();
        let mut unsettled = 0;
        for Again { node, visit, known, via } in again {
            let before = self.path_in(&scope_path, node).into_owned();
            if *visit > self.visit(&scope_path, node) {
                unsettled += 1;
                if let Some(old) = visit.checked_sub(2).filter(|old| *old > 0) {
                    let old = path::join(&scope_path, &path::visit(node, old));
                    self.steps.remove(old.as_str());
                }
                if let Some(scope) = self.scopes.get_mut(scope_path.as_str()) {
                    scope.visits.insert(Arc::from(node.as_str()), *visit);
                }
            } else if !self.steps.contains_key(before.as_str()) {
                continue;
            }
            let step_path = self.path_in(&scope_path, node).into_owned();
            let step = self.touch(&step_path);
            let ordinal = step.ordinal;
            if step.status == StepStatus::Pending {
                step.is_decided = false;
                self.todo.ready.remove(&ordinal);
                self.todo.dead.remove(&ordinal);
            }
            let step = self.touch(&step_path);
            step.edges_known = *known;
            step.edges_taken = u32::try_from(via.len()).unwrap_or(u32::MAX);
            step.via = via.iter().map(|id| Arc::from(id.as_str())).collect();
        }
        self.counts.add(StepStatus::Pending, unsettled);
        if let Some(scope) = self.scopes.get_mut(scope_path.as_str()) {
            scope.settled = scope.settled.saturating_sub(unsettled);
            self.todo.closing.remove(scope_path.as_str());
        }
        let target = self.path_in(&scope_path, to).into_owned();
        self.make_ready(&target);
    }

    fn record_failure(&mut self, path: &str, error: &Failure) {
        if let Some(scope) = self.scopes.get_mut(path::scope_of(path)) {
            scope.failure_count += 1;
            if scope.failures.len() < FAILURES_KEPT_MAX {
                scope.failures.push(error.clone().of_step(path));
            }
        }
    }

    fn open_block(&mut self, path: &str, kind: &str, block: Block, at: Time) {
        let step = self.begin(path, kind, StepStatus::Running, at);
        step.attempt = 1;
        step.started_at = Some(at);
        step.block = Some(Box::new(block));
        self.look_for_room(path);
    }

    fn block_of(&mut self, path: &str) -> Option<&mut Block> {
        self.steps.get_mut(path)?.block.as_deref_mut()
    }

    /// Notes whether the block can open further bodies, or has none left.
    fn look_for_room(&mut self, path: &str) {
        let Some(block) = self.block_of(path) else { return };
        let (has_room, is_filled) = (block.room() > 0, block.is_filled());
        if has_room {
            self.todo.opening.insert(Arc::from(path));
        } else {
            self.todo.opening.remove(path);
        }
        if is_filled {
            self.todo.filled.insert(Arc::from(path));
        }
    }

    /// An item is over. Its steps can no longer be named by anybody, so they leave memory.
    fn close_item(&mut self, scope: &str, record: impl FnOnce(&mut Block, usize)) {
        let Some((step, index)) = path::block_of(scope) else { return };
        // `/` follows `.`, so this bounds everything inside.
        let (first, behind) = (format!("{scope}."), format!("{scope}/"));
        let inside = (Bound::Included(first.as_str()), Bound::Excluded(behind.as_str()));
        let gone: Vec<Arc<str>> =
            self.steps.range::<str, _>(inside).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.steps.remove(&path);
        }
        self.scopes.remove(scope);
        self.todo.closing.remove(scope);
        self.todo.stopping.remove(scope);
        let step = step.to_owned();
        if let Some(block) = self.block_of(&step) {
            block.settled += 1;
            record(block, index as usize);
        }
        self.look_for_room(&step);
    }

    fn stop(&mut self, place: &str, stop: Stop) {
        if stop.force {
            self.trying.retain(|step| !path::is_inside(step, place));
        }
        let stop = Some(Box::new(stop));
        if place.is_empty() {
            self.deadline = None;
        }
        if let Some(scope) = self.scopes.get_mut(place) {
            scope.stopping = stop;
        } else if let Some(block) = self.block_of(place) {
            block.stopping = stop;
            self.look_for_room(place);
        }
        self.todo.stopping.insert(Arc::from(place));
    }

    /// A step is about to be undone because of `place`, which waits for it.
    fn begin_undo(&mut self, path: &str, place: &str) {
        let done = path.strip_suffix(UNDO).unwrap_or(path);
        let entry = self.undo.iter().rev().find(|(_, (path, _))| **path == *done);
        if let Some(number) = entry.map(|(number, _)| *number) {
            self.undo.remove(&number);
        }
        self.undoing += 1;
        self.counts.add(StepStatus::Pending, 1);
        self.todo.closing.remove(place);
        self.todo.opening.remove(place);
        self.touch(path).undoes = Some(Arc::from(place));
    }

    /// A step has been undone, or could not be. Its place goes on.
    fn end_undo(&mut self, place: &str) {
        self.undoing = self.undoing.saturating_sub(1);
        if self.scopes.contains_key(place) {
            self.todo.closing.insert(Arc::from(place));
        } else {
            self.look_for_room(place);
        }
    }

    fn finish(&mut self, status: RunStatus, reason: Option<String>, at: Time) {
        self.status = status;
        self.reason = reason;
        self.finished_at = Some(at);
        self.scopes.clear();
        self.active.clear();
        self.waits = Waits::default();
        self.todo = Todo::default();
        self.undo.clear();
        self.trying.clear();
        self.undoing = 0;
        self.deadline = None;
        self.paused = None;
    }

    fn derive_status(&mut self) {
        if self.status.is_terminal() {
            return;
        }
        let stop = self.scopes.get("").and_then(|scope| scope.stopping.as_ref());
        let leaving = match stop.map(|stop| &stop.cause) {
            Some(Cause::Cancelled(_)) => Some(reason::CANCELLING),
            Some(Cause::Failed(_) | Cause::Around(_)) => Some(reason::FAILING),
            None if self.undoing > 0 => Some(reason::COMPENSATING),
            None => None,
        };
        let waits = &self.waits;
        let waiting = waits.total();
        let only_waits = waiting > 0 && waiting == self.active.len();
        let (status, reason) = if self.paused.is_some() {
            (RunStatus::Paused, Some(reason::PAUSED))
        } else if self.started_at.is_none() {
            let reason = match &self.created.concurrency {
                Some(_) => reason::CONCURRENCY,
                None => reason::HELD,
            };
            (RunStatus::Queued, self.awaits_admission().then_some(reason))
        } else if leaving.is_some() {
            // Whatever its clean-up waits for, the run is on its way out.
            (RunStatus::Running, leaving)
        } else if only_waits && self.todo == Todo::default() {
            let reason = match waits {
                Waits { unknown: 1.., .. } => reason::OUTCOME_UNKNOWN,
                Waits { retry: 1.., .. } => reason::RETRY,
                Waits { timer: 1.., .. } => reason::TIMER,
                _ => reason::CHILD_RUN,
            };
            (RunStatus::Waiting, Some(reason))
        } else {
            (RunStatus::Running, None)
        };
        self.status = status;
        if self.reason.as_deref() != reason {
            self.reason = reason.map(str::to_owned);
        }
    }
}
