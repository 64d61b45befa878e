//! Runs that an attempt asks for in the middle of its work, as agents do with workflows as tools.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::kinds::NodeConfig;
use windlass_core::run::{AttemptError, RunStatus};
use windlass_engine::shard::Command;
use windlass_nodes::{Node, NodeContext, Registry, StopReason, WantedRun};
use windlass_store::{RunFilter, RunRow};

use crate::ground::Ground;
use crate::server::{PROJECT, Server, patiently, view};

const CHILD: &str = "
name: Child
description: Doubles a number.
input: { type: object, required: [n], properties: { n: { type: integer } } }
nodes:
  - { id: n, type: transform, config: { output: \"{{ input.n * 2 }}\" } }
";

const SLOW: &str = "
name: Slow
nodes:
  - { id: wait, type: wait_signal, config: { signal: go } }
";

const ASKS: &str = "
name: Asks
nodes:
  - { id: it, type: asking, config: { workflow: Child, input: \"{{ input }}\" } }
output: \"{{ it.output }}\"
";

const WAITS: &str = "
name: Waits
nodes:
  - { id: it, type: asking, config: { workflow: Slow, input: null } }
output: \"{{ it.output }}\"
";

/// Asks twice for the same run, and waits for it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asking {
    /// The other workflow.
    workflow: String,
    /// The input of the other run.
    input: Value,
}

impl NodeConfig for Asking {
    const KIND: &'static str = "asking";
    const SUMMARY: &'static str = "Asks for a run";
    const EXAMPLE: &'static str = ASKS;
}

#[async_trait]
impl Node for Asking {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
        let workflows = &context.workflows;
        let known = workflows.describe(&self.workflow, None).await?;
        assert_eq!(known.name, self.workflow);
        // It is there for as long as the step is.
        context.shell.kept.open(context.run_id, &context.step).unwrap();
        let wanted = WantedRun {
            workflow: self.workflow,
            version: None,
            input: self.input,
            key: "tool-1-0".into(),
        };
        let run_id = workflows.start(wanted.clone()).await?;
        assert_eq!(workflows.start(wanted).await?, run_id, "there is one run of a key");
        let mut stop = context.stop.clone();
        tokio::select! {
            result = workflows.wait(run_id) => result,
            reason = stop.asked() => {
                if reason == StopReason::Cancelled {
                    workflows.cancel(run_id).await;
                }
                Err(windlass_nodes::fail("cancelled", "it was cancelled"))
            }
        }
    }
}

fn registry() -> Arc<Registry> {
    let mut registry = Registry::builtin();
    registry.add::<Asking>();
    Arc::new(registry)
}

fn children(server: &Server, parent: Uuid) -> Vec<RunRow> {
    let filter = RunFilter { parent: Some(parent), ..RunFilter::default() };
    server.store.runs(PROJECT, &filter, None, 10).unwrap().items
}

/// The run that another one has asked for, once it waits.
async fn waiting_child(server: &Server, parent: Uuid) -> Uuid {
    let mut changes = server.engine.feed().changes();
    let waits = async {
        loop {
            let found = children(server, parent);
            if let Some(child) = found.iter().find(|run| run.status == RunStatus::Waiting) {
                return child.run_id;
            }
            changes.changed().await.unwrap();
        }
    };
    patiently("the other run waits", waits).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_gets_the_output_of_the_one_run_it_asks_for() {
    for ground in Ground::both() {
        let server = ground.serve_with(|config| config.dispatch.registry = registry());
        let lost = server.run(ASKS, json!({ "n": 1 })).await.error.unwrap();
        assert_eq!(lost.code, "workflow_not_found", "{lost}");
        server.deploy(CHILD).await;
        let run = server.run(ASKS, json!({ "n": 21 })).await;
        assert_eq!(run.output.as_deref(), Some(&json!(42)), "{:?}", run.error);
        let [child] = &children(&server, run.run_id)[..] else { panic!("one child") };
        let parent = child.parent.as_ref().unwrap();
        assert_eq!((parent.run_id, &*parent.step, parent.depth), (run.run_id, "it", 1));
        let refused = server.run(ASKS, json!({ "n": "x" })).await.error.unwrap();
        assert_eq!(refused.code, "child_refused", "{refused}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_is_found_again_after_a_crash_and_cancelled_with_the_attempt() {
    let ground = Ground::on_disk();
    let server = ground.serve_with(|config| config.dispatch.registry = registry());
    server.deploy(SLOW).await;
    let parent = server.begin(WAITS, json!(null)).await;
    let child = waiting_child(&server, parent).await;
    server.stop().await;
    let place = ground.file("kept").join(parent.to_string());
    assert!(place.exists(), "what a step keeps outlives the server");

    let server = ground.serve_with(|config| config.dispatch.registry = registry());
    server.until_it_is(parent, RunStatus::Running).await;
    let (name, payload, by) = ("go".into(), Arc::new(json!("gone")), "ada".into());
    view(server.engine.command(child, Command::Signal { name, payload, by, id: None }).await);
    server.until_it_is(parent, RunStatus::Succeeded).await;
    assert_eq!(children(&server, parent).len(), 1, "it was found again");
    let gone = async {
        while place.exists() {
            tokio::task::yield_now().await;
        }
    };
    patiently("what the step kept goes with it", gone).await;

    let parent = server.begin(WAITS, json!(null)).await;
    let child = waiting_child(&server, parent).await;
    server.cancel(parent).await;
    server.until_it_is(child, RunStatus::Cancelled).await;
    server.until_it_is(parent, RunStatus::Cancelled).await;
    server.stop().await;
}
