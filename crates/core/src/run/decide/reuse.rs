//! What a run takes over from the run it repeats.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Decider;
use super::edges::Tally;
use crate::definition::{Graph, Node, OnFailure, Plan};
use crate::json;
use crate::kinds::{Approval, NodeConfig};
use crate::limits::REUSED_BYTES_MAX;
use crate::run::event::{EdgeDecision, Fact, Reused};
use crate::run::input::Refused;
use crate::run::names::{Ended, RunNames};
use crate::run::path::{self, UNDO};
use crate::run::{RunState, Step, StepStatus};

impl RunState {
    /// What another run of the same plan may take over from this one, if it is to begin at `from` or,
    /// without that, at whatever has not succeeded. A step inside of a block begins with its block.
    /// What follows runs again, and so does what was undone. An approval before it is asked for again.
    ///
    /// # Errors
    ///
    /// [`Refused::NotOver`], [`Refused::NoSuchStep`], [`Refused::TooMuchToReuse`].
    pub fn reusable(
        &self,
        plan: &Plan,
        from: Option<&str>,
    ) -> Result<BTreeMap<String, Reused>, Refused> {
        if !self.status.is_terminal() {
            return Err(Refused::NotOver(self.status));
        }
        let graph = &plan.graph;
        let mut again: BTreeSet<&str> = BTreeSet::new();
        if let Some(from) = from {
            let first = from.split(['.', '[']).next().unwrap_or(from);
            let node = graph.node(path::without_visit(first.trim_end_matches(UNDO)));
            again.insert(&node.ok_or_else(|| Refused::NoSuchStep(from.to_owned()))?.id);
        }
        for node in &graph.nodes {
            let Some((path, step)) = self.latest(&node.id) else { continue };
            let is_undone = self.steps.contains_key(format!("{path}{UNDO}").as_str());
            let is_open = from.is_none() && !is_settled(node, step, &self.taken_from(graph, node));
            if is_undone || is_open {
                again.insert(&node.id);
            }
        }
        again = with_followers(graph, again);
        // What was approved was another run's. Nothing that hangs on it runs without being asked for.
        for node in graph.nodes.iter().filter(|node| has_approval(node)) {
            let behind = with_followers(graph, BTreeSet::from([&*node.id]));
            if !behind.is_disjoint(&again) {
                again.extend(behind);
            }
        }
        let mut reused = BTreeMap::new();
        let mut size = 0;
        for node in graph.nodes.iter().filter(|node| !again.contains(&*node.id)) {
            let Some((_, step)) = self.latest(&node.id) else { continue };
            let taken = self.taken_from(graph, node);
            if !is_settled(node, step, &taken) || step.status == StepStatus::Skipped {
                continue;
            }
            let output = step.output.clone().unwrap_or_default();
            size += json::size(&output);
            let error = step.error.as_deref().cloned();
            reused.insert(node.id.clone(), Reused { output, error, taken });
        }
        if size > REUSED_BYTES_MAX {
            return Err(Refused::TooMuchToReuse { size, max: REUSED_BYTES_MAX });
        }
        Ok(reused)
    }

    /// The latest visit of a node of the run's own graph.
    fn latest(&self, id: &str) -> Option<(&str, &Step)> {
        // `$` follows `#`.
        let (first, behind) = (format!("{id}#"), format!("{id}$"));
        let bounds = (Bound::Included(first.as_str()), Bound::Excluded(behind.as_str()));
        let later = self.steps.range::<str, _>(bounds);
        let later = later.filter(|(path, _)| !path.contains(['.', '[', '~']));
        let visit = |path: &str| path[id.len() + 1..].parse::<u32>().ok();
        let latest = later.max_by_key(|(path, _)| visit(path));
        latest.or_else(|| self.steps.get_key_value(id)).map(|(path, step)| (&**path, step))
    }

    /// The nodes to which edges of a node were taken.
    fn taken_from(&self, graph: &Graph, node: &Node) -> Vec<String> {
        let targets = node.edges.iter().map(|edge| &graph.target(edge).id);
        let is_taken = |target: &&String| {
            let step = self.latest(target).map(|(_, step)| step);
            step.is_some_and(|step| step.via.iter().any(|id| **id == *node.id))
        };
        targets.filter(is_taken).cloned().collect()
    }
}

/// These nodes and all behind them.
fn with_followers<'a>(graph: &'a Graph, mut nodes: BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let mut open: Vec<&str> = nodes.iter().copied().collect();
    while let Some(node) = open.pop().and_then(|id| graph.node(id)) {
        for target in node.edges.iter().map(|edge| &*graph.target(edge).id) {
            if nodes.insert(target) {
                open.push(target);
            }
        }
    }
    nodes
}

/// Whether a node asks people, or one inside of it does.
fn has_approval(node: &Node) -> bool {
    let inside = || node.bodies.iter().flat_map(|body| &body.graph.nodes);
    node.kind.name == Approval::KIND || inside().any(has_approval)
}

/// Whether a step has ended in a way that the definition provides for.
fn is_settled(node: &Node, step: &Step, taken: &[String]) -> bool {
    match step.status {
        StepStatus::Succeeded => true,
        StepStatus::Skipped => {
            matches!(step.reason.as_deref(), Some("condition" | "not_taken" | "marked"))
        }
        StepStatus::Failed => node.on_failure == Some(OnFailure::Continue) || !taken.is_empty(),
        _ => false,
    }
}

impl Decider<'_> {
    /// The end of a step as it was in the run that this one repeats, if it takes it over.
    pub(super) fn reuse(&self, step: &str, (graph, node): (&Graph, &Node)) -> Option<Vec<Fact>> {
        let scope = path::scope_of(step);
        if !scope.is_empty() || step != node.id {
            return None;
        }
        let Reused { output, error, taken } = self.state.created.reused.get(&node.id)?.clone();
        let mut tally = Tally::default();
        let edges: Vec<EdgeDecision> = node
            .edges
            .iter()
            .map(|edge| {
                let to = graph.target(edge).id.clone();
                let taken = taken.contains(&to);
                let then = self.verdict(scope, graph, edge, taken, &mut tally);
                EdgeDecision { to, taken, then }
            })
            .collect();
        let (path, kind) = (step.to_owned(), Some(node.kind.name.to_owned()));
        if let Some(error) = error {
            let (attempt, started_at, handled) = (1, None, true);
            let reused = true;
            return Some(vec![Fact::StepFailed {
                path,
                kind,
                attempt,
                started_at,
                error,
                edges,
                handled,
                reused,
            }]);
        }
        let status = StepStatus::Succeeded;
        let ended = Some(Ended { node: &node.id, status, output: Some(&output), error: None });
        let names = RunNames { state: self.state, plan: self.plan, scope, ended };
        let undo = match self.undo_of(node, &names) {
            Ok(undo) => undo,
            Err(failure) => return Some(self.fail(step, (graph, node), 1, None, failure)),
        };
        let (attempt, started_at, reused) = (1, None, true);
        Some(vec![Fact::StepSucceeded {
            path,
            kind,
            attempt,
            started_at,
            output,
            edges,
            undo,
            cached: None,
            reused,
        }])
    }
}
