//! Telling everything in a place to end, the innermost first.

use std::collections::{BTreeMap, HashSet, btree_map};
use std::ops::Bound;
use std::sync::Arc;

use super::Decider;
use super::edges::{Ending, Tally};
use crate::definition::Graph;
use crate::limits::EVENTS_PER_TURN;
use crate::run::event::{Cause, Fact};
use crate::run::input::Refused;
use crate::run::path::{self, UNDO};
use crate::run::state::{Block, BlockOf, Scope, Stop};

impl Decider<'_> {
    /// Stops the run because somebody says so. A run that is paused goes on, to its end.
    pub(super) fn stop_by_hand(
        &self,
        cause: Cause,
        force: bool,
        by: &str,
    ) -> Result<Vec<Fact>, Refused> {
        let mut facts = self.stop_run(cause, force, Some(by))?;
        if self.state.paused.is_some() {
            facts.insert(0, Fact::RunResumed { by: by.to_owned(), reason: None });
        }
        Ok(facts)
    }

    pub(super) fn stop_run(
        &self,
        cause: Cause,
        force: bool,
        by: Option<&str>,
    ) -> Result<Vec<Fact>, Refused> {
        let by = by.map(str::to_owned);
        if let Some(tokens) = self.tokens() {
            let mut facts = tokens.put_away("run_over");
            facts.push(match cause {
                Cause::Failed(error) => Fact::RunFailed { error },
                Cause::Cancelled(reason) => Fact::RunCancelled { reason, by },
                Cause::Around(_) => return Err(Refused::AlreadyStopping),
            });
            return Ok(facts);
        }
        let root = self.state.scopes.get("");
        let Some(root) = root else {
            // Nothing has begun, so there is nothing to tell.
            return Ok(vec![match cause {
                Cause::Failed(error) => Fact::RunFailed { error },
                Cause::Cancelled(reason) => Fact::RunCancelled { reason, by },
                Cause::Around(_) => return Err(Refused::AlreadyStopping),
            }]);
        };
        if let Some(stop) = &root.stopping {
            let is_more = force && !stop.force;
            let is_asked_for = matches!(stop.cause, Cause::Cancelled(_));
            if !is_more && (is_asked_for || matches!(cause, Cause::Failed(_))) {
                return Err(Refused::AlreadyStopping);
            }
        }
        Ok(vec![Fact::Stopping { at: String::new(), cause, keep: Vec::new(), force, by }])
    }

    /// Ends the scopes inside of `place`, as many as one decision may, or, when none is left, `place`
    /// itself. Whatever holds an open `try` ends later, when that has cleaned up.
    pub(super) fn wind_down(&self, place: &str) -> Vec<Fact> {
        let scopes = &self.state.scopes;
        let kept = self.kept(place);
        let stop = self.stop_of(place);
        let cause = stop.map(|stop| stop.cause.clone());
        let reason = cause.as_ref().map_or("run_failed", Cause::reason);
        let around = |at: &str| {
            let cause = Cause::Around(reason.to_owned());
            Fact::Stopping { at: at.to_owned(), cause, keep: Vec::new(), force: false, by: None }
        };
        // Many at once: the next decision passes over what is on its way out already.
        let mut facts = Vec::new();
        for (scope, state) in scopes_inside(scopes, place).rev() {
            if is_kept(scope, place, &kept) || self.is_clean_up(scope, place) {
                continue;
            }
            if !self.has_try_inside(scope) {
                facts.extend(self.end_steps(scope, &HashSet::new(), reason));
                facts.push(Fact::ItemCancelled { scope: scope.to_string() });
            } else if state.stopping.is_none() {
                facts.push(around(scope));
            }
            if facts.len() >= EVENTS_PER_TURN {
                break;
            }
        }
        if !facts.is_empty() {
            return facts;
        }
        let at = place.to_owned();
        if scopes.contains_key(place) {
            let blocks = self.blocks_to_stop(place, &kept);
            if !blocks.is_empty() {
                return blocks.iter().map(|block| around(block)).collect();
            }
            let mut facts = self.end_steps(place, &kept, reason);
            if stop.is_some_and(|stop| stop.force) {
                facts.extend(self.end_undoing(reason));
            }
            facts.push(Fact::Stopped { at });
            return facts;
        }
        if scopes_inside(scopes, place).next().is_some() {
            return vec![Fact::Stopped { at }];
        }
        match (self.state.steps.get(place), cause, self.locate(place)) {
            (Some(step), Some(Cause::Failed(error)), Some(node)) => {
                self.fail(place, node, step.attempt, step.started_at, error)
            }
            (Some(_), Some(Cause::Around(reason)), _) => self.cancel_step(place, &reason),
            _ => vec![Fact::Stopped { at }],
        }
    }

    /// Whether a scope inside of `place` is, or lies in, the clean-up of a `try`.
    fn is_clean_up(&self, scope: &str, place: &str) -> bool {
        let mut scope = scope;
        while scope.len() > place.len() {
            let Some((step, index)) = path::block_of(scope) else { return false };
            let block = self.state.steps.get(step).and_then(|step| step.block.as_deref());
            if let Some(Block { of: BlockOf::Try { finally: Some(finally), .. }, .. }) = block
                && *finally == index
                && self.state.trying.contains(step)
            {
                return true;
            }
            scope = path::scope_of(step);
        }
        false
    }

    /// Whether a `try` is open somewhere inside of `place`.
    fn has_try_inside(&self, place: &str) -> bool {
        let behind = self.state.trying.range::<str, _>((Bound::Excluded(place), Bound::Unbounded));
        // What begins with the place's address lies inside of it, or in a node of a longer name.
        behind.take_while(|step| step.starts_with(place)).any(|step| path::is_inside(step, place))
    }

    /// Blocks of `place` that still hold an open `try` and have to be told to open nothing more.
    fn blocks_to_stop(&self, place: &str, kept: &HashSet<String>) -> Vec<String> {
        let Some(graph) = self.graph_of(place) else { return Vec::new() };
        let blocks = graph.nodes.iter().filter(|node| !node.bodies.is_empty());
        let steps = blocks.filter(|node| !kept.contains(&node.id));
        let steps = steps.map(|node| self.state.path_in(place, &node.id).into_owned());
        let is_open = |step: &String| {
            let block = self.state.steps.get(step.as_str()).and_then(|step| step.block.as_ref());
            block.is_some_and(|block| {
                block.stopping.is_none() && !matches!(block.of, BlockOf::Try { .. })
            })
        };
        steps.filter(|step| is_open(step) && self.has_try_inside(step)).collect()
    }

    /// Steps that undo others, stopped by force.
    fn end_undoing(&self, reason: &str) -> Vec<Fact> {
        let undoing = self.state.active.iter().filter(|path| path.ends_with(UNDO));
        let cancelled = |path: &Arc<str>| Fact::StepCancelled {
            path: path.to_string(),
            reason: reason.to_owned(),
            edges: Vec::new(),
        };
        undoing.map(cancelled).collect()
    }

    /// Cancels what is in mid-life in `scope` and skips what never began.
    fn end_steps(&self, scope: &str, kept: &HashSet<String>, reason: &str) -> Vec<Fact> {
        let Some(graph) = self.graph_of(scope) else { return Vec::new() };
        let mut tally = Tally::default();
        let mut facts = Vec::new();
        for node in &graph.nodes {
            let step_path = self.state.path_in(scope, &node.id).into_owned();
            let step = self.state.steps.get(step_path.as_str());
            let is_over = step.is_some_and(|step| step.status.is_terminal());
            let cleans_up = || {
                self.state.trying.contains(step_path.as_str()) || self.has_try_inside(&step_path)
            };
            if is_over || kept.contains(&node.id) || !node.bodies.is_empty() && cleans_up() {
                continue;
            }
            // Where nothing is kept, nobody is left for the edges to lead to.
            let edges = if kept.is_empty() {
                Vec::new()
            } else {
                self.decide_edges(scope, (graph, node), Ending::Skipped, &mut tally)
                    .unwrap_or_default()
            };
            let reason = reason.to_owned();
            let has_begun = step.is_some_and(|step| step.queued_at.is_some());
            facts.push(if has_begun {
                Fact::StepCancelled { path: step_path, reason, edges }
            } else {
                let kind = node.kind.name.to_owned();
                Fact::StepSkipped { path: step_path, kind, reason, edges }
            });
        }
        facts
    }

    /// The nodes of `place` that may still run: those it keeps, and what follows them.
    fn kept(&self, place: &str) -> HashSet<String> {
        let stop = self.state.scopes.get(place).and_then(|scope| scope.stopping.as_ref());
        let (Some(stop), Some(graph)) = (stop, self.graph_of(place)) else {
            return HashSet::new();
        };
        reachable(graph, &stop.keep)
    }

    fn stop_of(&self, place: &str) -> Option<&Stop> {
        let scope = self.state.scopes.get(place).and_then(|scope| scope.stopping.as_deref());
        scope.or_else(|| self.state.steps.get(place)?.block.as_ref()?.stopping.as_deref())
    }
}

/// Scopes inside of `place`, in order: one that lies inside of another comes behind it.
fn scopes_inside<'a>(
    scopes: &'a BTreeMap<Arc<str>, Scope>,
    place: &str,
) -> btree_map::Range<'a, Arc<str>, Scope> {
    if place.is_empty() {
        return scopes.range::<str, _>((Bound::Excluded(""), Bound::Unbounded));
    }
    // `each[3]` is followed by `.`, a block's step by `[`; the next character bounds the range.
    let (first, behind) = if place.ends_with(']') { (".", "/") } else { ("[", "\\") };
    let (first, behind) = (format!("{place}{first}"), format!("{place}{behind}"));
    scopes.range::<str, _>((Bound::Included(first.as_str()), Bound::Excluded(behind.as_str())))
}

fn reachable(graph: &Graph, from: &[String]) -> HashSet<String> {
    let mut found: HashSet<String> = from.iter().cloned().collect();
    let mut open: Vec<&str> = from.iter().map(String::as_str).collect();
    while let Some(id) = open.pop() {
        for edge in graph.node(id).into_iter().flat_map(|node| &node.edges) {
            let target = &graph.target(edge).id;
            if found.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    found
}

/// Whether `scope` belongs to a block of `place` that is kept.
fn is_kept(scope: &str, place: &str, kept: &HashSet<String>) -> bool {
    let inside = scope[place.len()..].trim_start_matches('.');
    let node = inside.split(['.', '[', '#']).next().unwrap_or(inside);
    kept.contains(node)
}
