//! A scope all of whose steps are over: the run, or an item.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Decider;
use super::start::{check_size, check_size_to, expression_failure};
use crate::definition::{Graph, Policy};
use crate::expr::Environment;
use crate::failure::Failure;
use crate::limits::DETAILS_BYTES_MAX;
use crate::run::event::{Cause, Fact};
use crate::run::names::RunNames;
use crate::run::path;
use crate::run::state::BlockOf;

impl Decider<'_> {
    pub(super) fn finish_scope(&self, scope_path: &str) -> Vec<Fact> {
        let scope = self.state.scopes.get(scope_path);
        let (Some(scope), Some(graph)) = (scope, self.graph_of(scope_path)) else {
            return self.lost(scope_path);
        };
        let result = match &scope.stopping {
            Some(stop) => match &stop.cause {
                Cause::Failed(error) => Err(error.clone()),
                Cause::Cancelled(reason) => {
                    let cancelled =
                        || vec![Fact::RunCancelled { reason: reason.clone(), by: None }];
                    return self.undo_run(stop.force).unwrap_or_else(cancelled);
                }
                Cause::Around(_) => {
                    return vec![Fact::ItemCancelled { scope: scope_path.to_owned() }];
                }
            },
            None if !scope.failures.is_empty() => {
                Err(together(&scope.failures, scope.failure_count, self.plan.on_failure))
            }
            None => self.output_of(scope_path, graph),
        };
        match (path::block_of(scope_path), result) {
            (None, Ok(output)) => vec![Fact::RunSucceeded { output: Arc::new(output) }],
            (None, Err(error)) => {
                self.undo_run(false).unwrap_or_else(|| vec![Fact::RunFailed { error }])
            }
            (Some(_), Ok(output)) => {
                let scope = scope_path.to_owned();
                vec![Fact::ItemSucceeded { scope, output: Arc::new(output) }]
            }
            (Some((block, _)), Err(error)) => self.fail_item(scope_path, block, error),
        }
    }

    /// A run that has not succeeded undoes what it has done, unless it was ended by force.
    fn undo_run(&self, force: bool) -> Option<Vec<Fact>> {
        if force { None } else { self.undo_latest("") }
    }

    /// Under `fail_fast` one failed item stops the others, and so does one more than a `map`
    /// tolerates.
    fn fail_item(&self, scope: &str, block: &str, error: Failure) -> Vec<Fact> {
        let failed = Fact::ItemFailed { scope: scope.to_owned(), error: error.clone() };
        let state = self.state.steps.get(block).and_then(|step| step.block.as_ref());
        let others = state.is_some_and(|block| block.stopping.is_none() && block.has_others());
        let is_enough = state.is_some_and(|block| match block.of {
            BlockOf::Map { tolerate: Some(most), .. } => block.failure_count >= most,
            _ => self.plan.on_failure == Policy::FailFast,
        });
        if !is_enough || !others {
            return vec![failed];
        }
        let cause = Cause::Failed(error);
        let at = block.to_owned();
        vec![failed, Fact::Stopping { at, cause, keep: Vec::new(), force: false, by: None }]
    }

    /// What was written as `output`; else the output of the single end node; else an object of the
    /// end nodes' outputs by id, null for those that did not run.
    fn output_of(&self, scope: &str, graph: &Graph) -> Result<Value, Failure> {
        let output = if let Some(template) = &graph.output {
            let names = RunNames { state: self.state, plan: self.plan, scope, ended: None };
            let rendered = template
                .render(&Environment::new(&names, self.now))
                .map_err(|(place, error)| expression_failure(&format!("/output{place}"), &error))?;
            rendered.value
        } else {
            let output_of_end = |end: &u32| {
                let node = &graph.nodes[*end as usize];
                let step = self.state.named(scope, &node.id);
                let output = step.and_then(|step| step.output.as_deref());
                (node.id.clone(), output.cloned().unwrap_or(Value::Null))
            };
            match graph.ends.as_slice() {
                [only] => output_of_end(only).1,
                many => Value::Object(many.iter().map(output_of_end).collect::<Map<_, _>>()),
            }
        };
        check_size(&output, "output")?;
        Ok(output)
    }
}

/// One failure for several: the first, and under `aggregate` all of them in its details.
pub(super) fn together(failures: &[Failure], count: u32, policy: Policy) -> Failure {
    let Some(first) = failures.first() else {
        return Failure::new("failed", "it failed");
    };
    if policy != Policy::Aggregate || count < 2 {
        return first.clone();
    }
    let message = format!("{count} steps failed; the first: {}", first.message);
    let mut details = json!({ "errors": failures, "count": count });
    if check_size_to(DETAILS_BYTES_MAX, &details, "details").is_err() {
        // Each may be as large and as deep as a journal takes, all of them together may not.
        let bare = |failure: &Failure| Failure { details: None, ..failure.clone() };
        details["errors"] = json!(failures.iter().map(bare).collect::<Vec<_>>());
    }
    Failure { details: Some(details), ..Failure { message, ..first.clone() } }
}
