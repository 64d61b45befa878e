use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::actor::{check_place, check_word};
use super::{Complaint, NodeConfig, Offered, parse_config};
use crate::failure::Failure;

/// Has a step made on another machine, by a worker that asks for work on a queue.
///
/// `windlass worker --queue NAME` does the kinds that are built in; a worker of your own does what it
/// likes with `kind` and `config`. The output is what it hands in. `timeout` on the node bounds the
/// whole, waiting for a worker included, and `retry` says what follows a failure.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Worker {
    /// The queue.
    pub queue: String,
    /// What is to be done there: a kind that the worker knows, such as `shell`.
    pub kind: String,
    /// That kind's config.
    #[serde(default)]
    #[expect(dead_code, reason = "the worker reads it from the step's input")]
    pub config: Value,
    /// The higher, the sooner its turn comes, -1000 to 1000.
    #[serde(default)]
    pub priority: i32,
    /// Steps of different keys take turns.
    #[serde(default)]
    pub fairness_key: String,
}

impl NodeConfig for Worker {
    const KIND: &'static str = "worker";
    const SUMMARY: &'static str = "Has a step made on another machine";
    const EXAMPLE: &'static str = include_str!("examples/worker.yaml");

    fn check(&self) -> Result<(), Complaint> {
        check_word("/queue", &self.queue)?;
        check_word("/kind", &self.kind)?;
        if self.queue.contains([':', '/']) {
            let message = "the name of a queue has no `:` and no `/`";
            return Err(Complaint::at("/queue", message));
        }
        check_place(self.priority, &self.fairness_key)
    }
}

pub(super) fn offered(config: &Value) -> Result<Offered, Failure> {
    let Worker { queue, kind, priority, fairness_key, .. } = parse_config(config.clone())?;
    Ok(Offered { queue, title: Some(kind), priority, fairness_key })
}
