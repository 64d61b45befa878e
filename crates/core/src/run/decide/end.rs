//! How a step ends, and what that means for its edges, its scope and its run.

use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::edges::{Ending, Tally};
use crate::definition::{Graph, Node, On, OnFailure, Policy};
use crate::failure::Failure;
use crate::run::StepStatus;
use crate::run::event::{Cause, Fact};
use crate::run::names::{Ended, RunNames};
use crate::run::path::{self, UNDO};
use crate::time::Time;

impl Decider<'_> {
    /// The step has an output. If an edge's condition then has no answer, the step has failed.
    pub(super) fn succeed(
        &self,
        step: &str,
        place: (&Graph, &Node),
        attempt: u32,
        started_at: Option<Time>,
        output: Arc<Value>,
        chosen: Option<&[String]>,
    ) -> Vec<Fact> {
        let node = place.1;
        let ended = Ended {
            node: &node.id,
            status: StepStatus::Succeeded,
            output: Some(&output),
            error: None,
        };
        let scope = path::scope_of(step);
        let undo = match &node.compensate {
            None => Ok(None),
            Some(_) => {
                let ended = Some(ended.clone());
                self.undo_of(node, &RunNames { state: self.state, plan: self.plan, scope, ended })
            }
        };
        let ending = Ending::Ran { ended, success: true, failure: false, chosen };
        let decided = self.jump(step, place, &ending).and_then(|jump| match jump {
            Some(jump) => Ok((Vec::new(), Some(jump))),
            None => Ok((self.decide_edges(scope, place, ending, &mut Tally::default())?, None)),
        });
        match decided.and_then(|(edges, jump)| Ok((edges, jump, undo?))) {
            Ok((edges, jump, undo)) => {
                let succeeded = Fact::StepSucceeded {
                    path: step.to_owned(),
                    kind: self.kind_if_new(step, node),
                    attempt,
                    started_at,
                    output,
                    edges,
                    undo,
                    cached: None,
                    reused: false,
                };
                std::iter::once(succeeded).chain(jump).collect()
            }
            Err(failure) => self.fail(step, place, attempt, started_at, failure),
        }
    }

    /// The step has failed for good. Unless the definition provides for it, its scope has failed
    /// too, and under `fail_fast` everything in the scope is told to end.
    pub(super) fn fail(
        &self,
        step: &str,
        place: (&Graph, &Node),
        attempt: u32,
        started_at: Option<Time>,
        error: Failure,
    ) -> Vec<Fact> {
        let (graph, node) = place;
        let scope = path::scope_of(step);
        if step.ends_with(UNDO) {
            // The run has failed already. What can still be undone is.
            return vec![Fact::StepFailed {
                path: step.to_owned(),
                kind: None,
                attempt,
                started_at,
                error,
                edges: Vec::new(),
                handled: true,
                reused: false,
            }];
        }
        let goes_on = node.on_failure == Some(OnFailure::Continue);
        let ended =
            Ended { node: &node.id, status: StepStatus::Failed, output: None, error: Some(&error) };
        let chosen = goes_on.then_some(&[] as &[String]);
        let ending = Ending::Ran { ended, success: goes_on, failure: true, chosen };
        // A jump that may not be taken any more changes nothing: the step has failed either way.
        if let Ok(Some(jump)) = self.jump(step, place, &ending) {
            let failed = Fact::StepFailed {
                path: step.to_owned(),
                kind: self.kind_if_new(step, node),
                attempt,
                started_at,
                error,
                edges: Vec::new(),
                handled: true,
                reused: false,
            };
            return vec![failed, jump];
        }
        // An edge whose condition has no answer is not taken: the step has failed either way.
        let edges = self
            .decide_edges(scope, place, ending, &mut Tally::default())
            .or_else(|_| self.decide_edges(scope, place, Ending::Skipped, &mut Tally::default()))
            .unwrap_or_default();
        let taken_on = |on: On| {
            node.edges
                .iter()
                .zip(&edges)
                .filter(move |(edge, decision)| edge.on == on && decision.taken)
                .map(|(edge, _)| graph.target(edge).id.clone())
        };
        let handled = goes_on || taken_on(On::Failure).next().is_some();
        let keep: Vec<String> = taken_on(On::Always).collect();
        let stops = !handled
            && (node.on_failure == Some(OnFailure::Stop)
                || self.plan.on_failure == Policy::FailFast)
            && !self.is_stopping(scope);
        let mut facts = vec![Fact::StepFailed {
            path: step.to_owned(),
            kind: self.kind_if_new(step, node),
            attempt,
            started_at,
            error: error.clone(),
            edges,
            handled,
            reused: false,
        }];
        if stops {
            let cause = Cause::Failed(error.of_step(step));
            facts.push(Fact::Stopping {
                at: scope.to_owned(),
                cause,
                keep,
                force: false,
                by: None,
            });
        }
        facts
    }

    /// A step that is stopped in mid-life after it has cleaned up.
    pub(super) fn cancel_step(&self, step: &str, reason: &str) -> Vec<Fact> {
        let Some(place) = self.locate(step) else { return self.lost(step) };
        let scope = path::scope_of(step);
        let edges = self.decide_edges(scope, place, Ending::Skipped, &mut Tally::default());
        let (path, reason) = (step.to_owned(), reason.to_owned());
        vec![Fact::StepCancelled { path, reason, edges: edges.unwrap_or_default() }]
    }

    /// The kind, if no event of the step has named it yet.
    fn kind_if_new(&self, step: &str, node: &Node) -> Option<String> {
        let known = self.state.steps.get(step).is_some_and(|step| !step.kind.is_empty());
        (!known).then(|| node.kind.name.to_owned())
    }

    pub(super) fn is_stopping(&self, scope: &str) -> bool {
        self.state.scopes.get(scope).is_some_and(|scope| scope.stopping.is_some())
    }
}
