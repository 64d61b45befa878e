//! A step whose turn has come.

use std::sync::Arc;

use serde_json::Value;

use super::Decider;
use super::edges::{Ending, Tally};
use crate::definition::{Graph, Node};
use crate::expr::{Environment, Rendered};
use crate::failure::Failure;
use crate::json;
use crate::kinds::{Done, Offered, Pure, Work};
use crate::limits::{JSON_DEPTH_MAX, PAYLOAD_BYTES_MAX};
use crate::run::event::{CacheUse, Fact, TaskTerms};
use crate::run::names::RunNames;
use crate::run::path;

impl Decider<'_> {
    pub(super) fn start_step(&self, step: &str) -> Vec<Fact> {
        let Some((graph, node)) = self.locate(step) else { return self.lost(step) };
        if let Some(facts) = self.reuse(step, (graph, node)) {
            return facts;
        }
        match self.begin(step, graph, node) {
            Ok(facts) => facts,
            Err(failure) => self.fail(step, (graph, node), 1, None, failure),
        }
    }

    fn begin(&self, step: &str, graph: &Graph, node: &Node) -> Result<Vec<Fact>, Failure> {
        let scope = path::scope_of(step);
        let names = RunNames { state: self.state, plan: self.plan, scope, ended: None };
        if let Some(when) = &node.when {
            let env = Environment::new(&names, self.now);
            let holds = when.holds(&env).map_err(|error| expression_failure("/when", &error))?;
            if !holds {
                return Ok(self.skip(step, "condition"));
            }
        }
        let env = Environment::new(&names, self.now);
        let Rendered { value, secrets } = node
            .config
            .render(&env)
            .map_err(|(place, error)| expression_failure(&format!("/config{place}"), &error))?;
        check_size(&value, "config")?;
        let kind = node.kind.name.to_owned();
        let step_path = step.to_owned();
        match node.kind.work {
            Work::Pure(run) => {
                let input = self.state.scope_input(scope);
                let upstream = self.state.upstream(step);
                let done = run(Pure { config: value, input, upstream })?;
                check_size(&done.output, "output")?;
                Ok(self.succeed_pure(step, (graph, node), done))
            }
            Work::Timer(wait) => {
                let until = self.now.plus(wait(&value)?);
                let input = Arc::new(value);
                Ok(vec![Fact::StepWaiting { path: step_path, kind, input, until }])
            }
            Work::Word(wait) => {
                let wait = wait(&value)?;
                Ok(self.await_word(step, &kind, value, wait))
            }
            Work::SubRun => self.request_child(step, &kind, value),
            Work::Map => self.open_map(step, node, value),
            Work::Loop => self.open_loop(step, node, value),
            Work::Try => Ok(self.open_try(step, node)),
            Work::Outside | Work::Task(_) | Work::Worker => {
                let cache = self.cache_of(node, &value, &env)?;
                let task = self.task_of(node, &value)?;
                Ok(vec![Fact::StepQueued {
                    path: step_path,
                    kind,
                    input: Arc::new(value),
                    secrets,
                    effect: node.effect,
                    cache,
                    undoes: None,
                    task,
                }])
            }
        }
    }

    /// How a step is offered to workers, if those make its attempts.
    pub(super) fn task_of(
        &self,
        node: &Node,
        config: &Value,
    ) -> Result<Option<Box<TaskTerms>>, Failure> {
        let Some(Offered { queue, title, priority, fairness_key }) = node.kind.offered(config)?
        else {
            return Ok(None);
        };
        let (priority, timeout) = (priority + self.state.created.priority, node.timeout);
        Ok(Some(Box::new(TaskTerms { queue, title, priority, fairness_key, timeout })))
    }

    /// Where an earlier output is found. Outputs of different kinds are never taken for each other.
    fn cache_of(
        &self,
        node: &Node,
        config: &Value,
        env: &Environment<'_>,
    ) -> Result<Option<Box<CacheUse>>, Failure> {
        let Some(cache) = &node.cache else { return Ok(None) };
        let key = match &cache.key {
            None => config.clone(),
            Some(key) => {
                let rendered = key.render(env).map_err(|(place, error)| {
                    expression_failure(&format!("/cache/key{place}"), &error)
                })?;
                check_size(&rendered.value, "cache key")?;
                rendered.value
            }
        };
        let key = json::sha256(&serde_json::json!([node.kind.name, key]));
        Ok(Some(Box::new(CacheUse { key, ttl: cache.ttl })))
    }

    fn succeed_pure(&self, step: &str, place: (&Graph, &Node), done: Done) -> Vec<Fact> {
        self.succeed(step, place, 1, None, Arc::new(done.output), done.chosen.as_deref())
    }

    /// A step that will never run, and what that means for those behind it.
    pub(super) fn skip(&self, step: &str, reason: &str) -> Vec<Fact> {
        let Some((graph, node)) = self.locate(step) else { return self.lost(step) };
        let scope = path::scope_of(step);
        let edges = self.decide_edges(scope, (graph, node), Ending::Skipped, &mut Tally::default());
        vec![Fact::StepSkipped {
            path: step.to_owned(),
            kind: node.kind.name.to_owned(),
            reason: reason.to_owned(),
            edges: edges.unwrap_or_default(),
        }]
    }

    /// A step of which the plan knows nothing. That cannot happen to a run with its own plan.
    pub(super) fn lost(&self, step: &str) -> Vec<Fact> {
        let message = format!("the definition has no node for the step `{step}`");
        vec![Fact::RunFailed { error: Failure::new("wrong_definition", message) }]
    }
}

pub(super) fn expression_failure(place: &str, error: &crate::expr::ExprError) -> Failure {
    let column = error.offset + 1;
    let message = format!("{place}, character {column}: {}", error.message);
    Failure::new("expression", message)
        .with(serde_json::json!({ "path": place, "column": column, "code": error.code }))
}

/// Refuses what is too large for a journal, or nests too deep to be read back from one.
pub(super) fn check_size(value: &Value, what: &str) -> Result<(), Failure> {
    check_size_to(PAYLOAD_BYTES_MAX, value, what)
}

/// The same, of what is not a value of a step.
pub(super) fn check_size_to(max: usize, value: &Value, what: &str) -> Result<(), Failure> {
    let size = json::size(value);
    if size > max {
        let message = format!("the {what} has {size} bytes, but may have at most {max}");
        return Err(Failure::new("payload_too_large", message));
    }
    if json::depth(value) > JSON_DEPTH_MAX {
        let message = format!("the {what} nests deeper than {JSON_DEPTH_MAX}");
        return Err(Failure::new("payload_too_deep", message));
    }
    Ok(())
}
