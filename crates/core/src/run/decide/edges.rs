//! What becomes of a node's edges when it has ended, and of the nodes they lead to.

use std::collections::HashMap;

use super::Decider;
use crate::definition::{Edge, Graph, Join, Node, On};
use crate::expr::Environment;
use crate::failure::Failure;
use crate::run::event::{EdgeDecision, Then};
use crate::run::names::{Ended, RunNames};

/// How a node has ended, as far as its edges are concerned.
pub(super) enum Ending<'a> {
    /// It ran. `ended` is what conditions see of it.
    Ran {
        ended: Ended<'a>,
        /// Whether the edges of a success are taken.
        success: bool,
        /// Whether the edges of a failure are taken.
        failure: bool,
        /// Of the nodes it may branch to, the ones it chose.
        chosen: Option<&'a [String]>,
    },
    /// It did not run, or not to its end.
    Skipped,
}

/// What is known of the nodes that edges lead to, decisions under way included: several edges
/// decided at once may lead to the same node.
#[derive(Default)]
pub(super) struct Tally {
    seen: HashMap<u32, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    known: u32,
    taken: u32,
    is_decided: bool,
}

impl Decider<'_> {
    /// Decides every edge of `node` in `scope`.
    ///
    /// # Errors
    ///
    /// If the condition of an edge has no answer. The node's step has then failed.
    pub(super) fn decide_edges(
        &self,
        scope: &str,
        (graph, node): (&Graph, &Node),
        ending: Ending<'_>,
        tally: &mut Tally,
    ) -> Result<Vec<EdgeDecision>, Failure> {
        let mut decisions = Vec::with_capacity(node.edges.len());
        for edge in &node.edges {
            let taken = self.is_taken(scope, graph, edge, &ending)?;
            let to = &graph.target(edge).id;
            let then = self.verdict(scope, graph, edge, taken, tally);
            decisions.push(EdgeDecision { to: to.clone(), taken, then });
        }
        Ok(decisions)
    }

    /// Whether an edge is taken.
    pub(super) fn is_taken(
        &self,
        scope: &str,
        graph: &Graph,
        edge: &Edge,
        ending: &Ending<'_>,
    ) -> Result<bool, Failure> {
        let Ending::Ran { ended, success, failure, chosen } = ending else { return Ok(false) };
        let by_ending = match edge.on {
            On::Success => *success,
            On::Failure => *failure,
            On::Always => *success || *failure,
        };
        let to = &graph.target(edge).id;
        let is_chosen = !edge.is_branch || chosen.is_none_or(|chosen| chosen.contains(to));
        let Some(when) = edge.when.as_ref().filter(|_| by_ending && is_chosen) else {
            return Ok(by_ending && is_chosen);
        };
        let (state, plan) = (self.state, self.plan);
        let names = RunNames { state, plan, scope, ended: Some(ended.clone()) };
        when.holds(&Environment::new(&names, self.now)).map_err(|error| {
            let message = format!("the edge to `{to}`: {}", error.message);
            Failure::new("expression", message)
        })
    }

    pub(super) fn verdict(
        &self,
        scope: &str,
        graph: &Graph,
        edge: &Edge,
        taken: bool,
        tally: &mut Tally,
    ) -> Then {
        let target = graph.target(edge);
        let seen = tally.seen.entry(edge.target).or_insert_with(|| {
            let step = self.state.steps.get(&*self.state.path_in(scope, &target.id));
            step.map_or(Seen { known: 0, taken: 0, is_decided: false }, |step| Seen {
                known: step.edges_known,
                taken: step.edges_taken,
                is_decided: step.is_decided,
            })
        });
        seen.known += 1;
        seen.taken += u32::from(taken);
        if seen.is_decided {
            return Then::Wait;
        }
        let then = join(target.join, target.incoming, seen.known, seen.taken);
        seen.is_decided = then != Then::Wait;
        then
    }
}

/// Whether a node's turn has come, given how many of its edges are known and taken.
fn join(join: Option<Join>, incoming: u32, known: u32, taken: u32) -> Then {
    let needed = match join {
        None => {
            return match (known == incoming, taken > 0) {
                (false, _) => Then::Wait,
                (true, true) => Then::Run,
                (true, false) => Then::Skip,
            };
        }
        Some(Join::All) => incoming,
        Some(Join::Any) => 1,
        Some(Join::Count(count)) => count,
    };
    let possible = taken + (incoming - known);
    if taken >= needed {
        Then::Run
    } else if possible < needed {
        Then::Skip
    } else {
        Then::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_turn_has_come() {
        use Then::{Run, Skip, Wait};
        let count = |count| Some(Join::Count(count));
        //   join, edges, known, taken, verdict
        let table = [
            (None, 2, 1, 1, Wait),
            (None, 2, 2, 1, Run),
            (None, 2, 2, 0, Skip),
            (Some(Join::All), 2, 1, 1, Wait),
            (Some(Join::All), 2, 1, 0, Skip),
            (Some(Join::All), 2, 2, 2, Run),
            (Some(Join::Any), 3, 1, 1, Run),
            (Some(Join::Any), 3, 2, 0, Wait),
            (Some(Join::Any), 3, 3, 0, Skip),
            (count(2), 3, 2, 2, Run),
            (count(2), 3, 2, 1, Wait),
            (count(2), 3, 2, 0, Skip),
            (count(5), 3, 0, 0, Skip),
        ];
        for (how, incoming, known, taken, then) in table {
            assert_eq!(join(how, incoming, known, taken), then, "{how:?} {known}/{incoming}");
        }
    }
}
