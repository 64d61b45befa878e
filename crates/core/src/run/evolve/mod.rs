//! Remembering: what each event does to the state. Nothing here evaluates an expression or knows a
//! definition, so a journal folds to the same state whatever version reads it.

pub(super) mod reason;
mod scopes;
mod standing;
mod word;

use std::sync::Arc;

use serde_json::Value;

use super::event::{Event, Fact, RunCreated, Undo};
use super::state::{Block, BlockOf, Child, Pause, Record, Step, StepTask, Stop, Todo, Waits};
use super::{Counts, RunState, RunStatus, StepStatus, path};
use crate::time::Time;

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
        let tokens = created.unit.is_some().then(Box::default);
        let observed = created.observed.is_some().then(Box::default);
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
            inbox: Default::default(),
            listeners: Default::default(),
            signal_count: 0,
            signal_ids: Default::default(),
            tokens,
            observed,
            triggered: Vec::new(),
        }
    }

    /// Folds one event.
    pub fn evolve(&mut self, event: &Event) {
        if let Fact::Triggered { status, workflow_id, .. } = &event.fact {
            return self.triggered.push((*status, *workflow_id));
        }
        if self.observed.is_some() {
            return self.evolve_observed(event);
        }
        let at = event.at;
        let task_path = event.fact.step();
        let had_task = task_path.is_some_and(|path| self.waits_for_worker(path));
        match &event.fact {
            Fact::RunCreated(_) | Fact::Triggered { .. }
            // Only runs of other programs have these.
            | Fact::FlowSeen { .. }
            | Fact::TaskSeen { .. }
            | Fact::FlowNamed { .. }
            | Fact::LinesSeen { .. }
            | Fact::Watched { .. }
            | Fact::Inferred { .. } => {}
            Fact::RunAdmitted {} => self.is_admitted = true,
            Fact::RunPaused { by, reason } => {
                self.paused = Some(Pause { at, by: by.clone(), reason: reason.clone() });
            }
            Fact::RunResumed { .. } => self.paused = None,
            Fact::RunStarted { nodes, ready, deadline } => {
                self.deadline = *deadline;
                self.status = RunStatus::Running;
                self.started_at = Some(at);
                if self.tokens.is_none() {
                    self.open_scope("", *nodes);
                }
                ready.iter().for_each(|node| self.make_ready(node));
            }
            Fact::StepQueued { path, kind, input, secrets, effect, cache, undoes, task } => {
                if let Some(place) = undoes {
                    self.begin_undo(path, place);
                }
                let step = self.begin(path, kind, StepStatus::Queued, at);
                step.attempt = 1;
                step.input = Some(input.clone());
                step.secrets.clone_from(secrets);
                step.effect = *effect;
                step.cache.clone_from(cache);
                step.task = task.as_ref().map(|terms| {
                    let terms = (**terms).clone();
                    Box::new(StepTask { terms, offered_at: at, fence: 0, holder: None })
                });
                step.until = step.task_until(at);
                self.activate(path);
            }
            Fact::StepClaimed { path, attempt, holder } => {
                self.set_status(path, StepStatus::Running, None);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.started_at.get_or_insert(at);
                if let Some(task) = &mut step.task {
                    task.fence = holder.fence;
                    task.holder = Some((**holder).clone());
                }
            }
            Fact::StepReleased { path, .. } => {
                self.set_status(path, StepStatus::Queued, None);
                if let Some(task) = &mut self.touch(path).task {
                    task.holder = None;
                }
            }
            Fact::UnitCreated { path, unit } => {
                if let Some(tokens) = &mut self.tokens {
                    tokens.create(path, unit, at);
                }
            }
            Fact::UnitChanged { path, change } => {
                if let Some(tokens) = &mut self.tokens {
                    tokens.apply(path, change, at);
                }
            }
            Fact::UnitNoted { path, note } => {
                if let Some(tokens) = &mut self.tokens {
                    tokens.note(path, note);
                }
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
                self.leave_wait(path);
                self.set_status(path, StepStatus::Queued, None);
                let step = self.touch(path);
                step.attempt = *attempt;
                if let Some(task) = &mut step.task {
                    task.offered_at = at;
                }
                step.until = step.task_until(at);
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
            Fact::StepAwaiting { path, kind, input, awaits, until, resumes } => {
                self.ask(path, kind, at, (awaits, input, resumes.as_deref()));
                self.touch(path).until = *until;
            }
            Fact::StepDecided { path, decision } => self.keep_decision(path, decision),
            Fact::Reminded { path, until } => self.touch(path).until = *until,
            Fact::SignalReceived { name, payload, by, id } => {
                self.receive(name, payload, by, id.as_deref());
            }
            Fact::SignalTaken { name, .. } => self.take_signal(name),
            Fact::EventTaken { .. } => {}
            Fact::StepRecorded { path, attempt, key, value } => {
                let (key, value) = (key.clone(), value.clone());
                let record = Record { attempt: *attempt, key, value };
                let step = self.touch(path);
                if step.task.is_some() {
                    // Of how far a worker has come, only the latest counts.
                    step.records.retain(|known| known.key != record.key);
                }
                step.records.push(record);
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
                cached,
                reused,
            } => {
                self.settle(path, kind.as_deref(), StepStatus::Succeeded, at);
                let step = self.touch(path);
                step.attempt = *attempt;
                step.output = Some(output.clone());
                step.reason = match cached {
                    Some(_) => Some(Arc::from(reason::CACHED)),
                    None => reused.then(|| Arc::from(reason::REUSED)),
                };
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
        match (had_task, task_path.is_some_and(|path| self.waits_for_worker(path))) {
            (false, true) => self.waits.task += 1,
            (true, false) => self.waits.task = self.waits.task.saturating_sub(1),
            _ => {}
        }
        self.derive_status();
    }

    /// Whether a step waits for a worker to take it.
    fn waits_for_worker(&self, path: &str) -> bool {
        self.steps.get(path).is_some_and(|step| {
            step.status == StepStatus::Queued
                && step.task.as_deref().is_some_and(|task| task.holder.is_none())
        })
    }

    /// The step at `path`, which comes up now if it has not before.
    pub(in crate::run) fn touch(&mut self, path: &str) -> &mut Step {
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

    pub(in crate::run) fn set_status(
        &mut self,
        path: &str,
        status: StepStatus,
        reason: Option<&str>,
    ) {
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
        let step = self.touch(path);
        step.until = Some(until);
        if let Some(task) = &mut step.task {
            task.holder = None;
        }
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
        step.records = Vec::new();
        step.cache = None;
        step.task = None;
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
}
