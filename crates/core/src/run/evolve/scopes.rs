//! Graphs in progress: their nodes, edges, bodies, and what is undone in them.

use std::ops::Bound;
use std::sync::Arc;

use crate::failure::Failure;
use crate::run::event::{Again, EdgeDecision, Then};
use crate::run::path::{self, UNDO};
use crate::run::state::{Block, FAILURES_KEPT_MAX, Scope, Stop};
use crate::run::{RunState, StepStatus};
use crate::time::Time;

impl RunState {
    pub(super) fn open_scope(&mut self, scope: &str, nodes: u32) {
        self.counts.add(StepStatus::Pending, nodes);
        self.scopes.insert(Arc::from(scope), Scope { nodes, ..Scope::default() });
    }

    pub(super) fn decide_edges(&mut self, source: &str, edges: &[EdgeDecision]) {
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
    pub(super) fn jump_back(&mut self, source: &str, to: &str, again: &[Again]) {
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

    pub(super) fn record_failure(&mut self, path: &str, error: &Failure) {
        if let Some(scope) = self.scopes.get_mut(path::scope_of(path)) {
            scope.failure_count += 1;
            if scope.failures.len() < FAILURES_KEPT_MAX {
                scope.failures.push(error.clone().of_step(path));
            }
        }
    }

    pub(super) fn open_block(&mut self, path: &str, kind: &str, block: Block, at: Time) {
        let step = self.begin(path, kind, StepStatus::Running, at);
        step.attempt = 1;
        step.started_at = Some(at);
        step.block = Some(Box::new(block));
        self.look_for_room(path);
    }

    pub(super) fn block_of(&mut self, path: &str) -> Option<&mut Block> {
        self.steps.get_mut(path)?.block.as_deref_mut()
    }

    /// Notes whether the block can open further bodies, or has none left.
    pub(super) fn look_for_room(&mut self, path: &str) {
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
    pub(super) fn close_item(&mut self, scope: &str, record: impl FnOnce(&mut Block, usize)) {
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

    pub(super) fn stop(&mut self, place: &str, stop: Stop) {
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
    pub(super) fn begin_undo(&mut self, path: &str, place: &str) {
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
    pub(super) fn end_undo(&mut self, place: &str) {
        self.undoing = self.undoing.saturating_sub(1);
        if self.scopes.contains_key(place) {
            self.todo.closing.insert(Arc::from(place));
        } else {
            self.look_for_room(place);
        }
    }
}
