//! Telling everything in a place to end, the innermost first.

use std::collections::{BTreeMap, HashSet, btree_map};
use std::ops::Bound;
use std::sync::Arc;

use super::Decider;
use super::edges::{Ending, Tally};
use crate::definition::Graph;
use crate::run::event::{Cause, Fact};
use crate::run::path;
use crate::run::state::Scope;

impl Decider<'_> {
    /// Ends one scope inside of `place`, or, when none is left, `place` itself.
    pub(super) fn wind_down(&self, place: &str) -> Vec<Fact> {
        let scopes = &self.state.scopes;
        let kept = self.kept(place);
        let deepest =
            scopes_inside(scopes, place).rev().find(|(scope, _)| !is_kept(scope, place, &kept));
        let cause = self.cause(place);
        let reason = match &cause {
            Some(Cause::Cancelled(_)) => "run_cancelled",
            _ => "run_failed",
        };
        if let Some((scope, _)) = deepest {
            let mut facts = self.end_steps(scope, &HashSet::new(), reason);
            facts.push(Fact::ItemCancelled { scope: scope.to_string() });
            return facts;
        }
        let at = place.to_owned();
        if scopes.contains_key(place) {
            let mut facts = self.end_steps(place, &kept, reason);
            facts.push(Fact::Stopped { at });
            return facts;
        }
        let step = self.state.steps.get(place);
        match (step, cause, self.locate(place)) {
            (Some(step), Some(Cause::Failed(error)), Some(node)) => {
                self.fail(place, node, step.attempt, step.started_at, error)
            }
            _ => vec![Fact::Stopped { at }],
        }
    }

    /// Cancels what is in mid-life in `scope` and skips what never began.
    fn end_steps(&self, scope: &str, kept: &HashSet<String>, reason: &str) -> Vec<Fact> {
        let Some(graph) = self.graph_of(scope) else { return Vec::new() };
        let mut tally = Tally::default();
        let mut facts = Vec::new();
        for node in &graph.nodes {
            let step_path = path::join(scope, &node.id);
            let step = self.state.steps.get(step_path.as_str());
            let is_over = step.is_some_and(|step| step.status.is_terminal());
            if is_over || kept.contains(&node.id) {
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

    fn cause(&self, place: &str) -> Option<Cause> {
        let scope = self.state.scopes.get(place).and_then(|scope| scope.stopping.as_ref());
        let stop = scope.or_else(|| self.state.steps.get(place)?.block.as_ref()?.stopping.as_ref());
        stop.map(|stop| stop.cause.clone())
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
    let node = inside.split(['.', '[']).next().unwrap_or(inside);
    kept.contains(node)
}
