//! Edges that jump back: what has run runs again.

use std::collections::HashSet;

use super::Decider;
use super::edges::Ending;
use crate::definition::{Graph, Jump, Node};
use crate::failure::Failure;
use crate::run::event::{Again, Fact};
use crate::run::path;

impl Decider<'_> {
    /// The jump that a step takes as it ends, if it takes one. Nothing jumps back in a place that is
    /// being stopped.
    ///
    /// # Errors
    ///
    /// If the condition of a jump has no answer, and with `visit_limit` if its target has run as
    /// often as it may.
    pub(super) fn jump(
        &self,
        step: &str,
        (graph, node): (&Graph, &Node),
        ending: &Ending<'_>,
    ) -> Result<Option<Fact>, Failure> {
        let scope = path::scope_of(step);
        if node.jumps.is_empty() || self.is_stopping(scope) {
            return Ok(None);
        }
        for jump in &node.jumps {
            if self.is_taken(scope, graph, &jump.edge, ending)? {
                return self.jump_back(step, graph, jump).map(Some);
            }
        }
        Ok(None)
    }

    fn jump_back(&self, step: &str, graph: &Graph, jump: &Jump) -> Result<Fact, Failure> {
        let scope = path::scope_of(step);
        let target = &graph.target(&jump.edge).id;
        if self.state.visit(scope, target) >= jump.max_visits {
            let most = jump.max_visits;
            let message = format!("`{target}` has run {most} times, and may not run again");
            return Err(Failure::new("visit_limit", message));
        }
        let nodes = || jump.again.iter().map(|place| &graph.nodes[*place as usize]);
        let ids: HashSet<&str> = nodes().map(|node| node.id.as_str()).collect();
        let current = |node: &Node| self.state.steps.get(&*self.state.path_in(scope, &node.id));
        let source = path::node_of(step);
        // What those that run again have decided about each other's edges so far.
        let mut known_inside = vec![0_u32; graph.nodes.len()];
        for node in nodes().filter(|node| node.id != source) {
            if current(node).is_some_and(|step| step.status.is_terminal()) {
                node.edges.iter().for_each(|edge| known_inside[edge.target as usize] += 1);
            }
        }
        let again = jump.again.iter().map(|place| {
            let node = &graph.nodes[*place as usize];
            let latest = current(node);
            let has_run = node.id == source || latest.is_some_and(|step| step.status.is_terminal());
            let known = latest.map_or(0, |step| step.edges_known);
            let via = latest.map_or(&[][..], |step| &step.via);
            Again {
                node: node.id.clone(),
                visit: self.state.visit(scope, &node.id) + u32::from(has_run),
                known: known.saturating_sub(known_inside[*place as usize]),
                via: via
                    .iter()
                    .filter(|id| !ids.contains(&***id))
                    .map(ToString::to_string)
                    .collect(),
            }
        });
        let again = again.collect();
        Ok(Fact::JumpedBack { path: step.to_owned(), to: target.clone(), again })
    }
}
