//! Random definitions: all the ways a run can go, on few nodes.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::definition::{Plan, check};
use windlass_core::kinds::NodeConfig;
use windlass_core::run::AttemptError;
use windlass_nodes::{Node, NodeContext, Registry};

use crate::chance::Chance;

/// Work outside, whose end the simulation decides.
#[derive(Deserialize, JsonSchema)]
struct Work {}

impl NodeConfig for Work {
    const KIND: &'static str = "work";
    const SUMMARY: &'static str = "Stands for work outside";
    const EXAMPLE: &'static str = "";
}

#[async_trait]
impl Node for Work {
    async fn run(self, _: NodeContext) -> Result<Value, AttemptError> {
        unreachable!("the simulation decides how work ends")
    }
}

pub(crate) fn registry() -> Arc<Registry> {
    static REGISTRY: OnceLock<Arc<Registry>> = OnceLock::new();
    REGISTRY
        .get_or_init(|| {
            let mut registry = Registry::builtin();
            registry.add::<Work>();
            Arc::new(registry)
        })
        .clone()
}

pub(crate) fn random_plan(chance: &mut Chance) -> Arc<Plan> {
    let mut text = String::from("name: random\nnodes:\n");
    let mut edges = String::new();
    let count = 1 + chance.below(6);
    for at in 0..count {
        text.push_str(&format!("  - id: n{at}\n    type: "));
        text.push_str(chance.of::<&str>(&[
            "work\n    effect: never\n",
            "work\n    retry: { max_attempts: 3, delay: 1s }\n",
            "work\n    effect: keyed\n",
            "work\n",
            "worker\n    timeout: 10m\n    config: { queue: big, kind: shell }\n",
            "worker\n    retry: { max_attempts: 2, delay: 1s }\n    config: { queue: big, kind: shell }\n",
            "actor\n    config: { role: clerk }\n",
            "noop\n    config: { output: 1 }\n",
            "noop\n    retry: { max_attempts: 2, delay: 50ms }\n",
            "transform\n    config: { output: 1 }\n",
            "delay\n    config: { duration: 500ms }\n",
            "delay\n    config: { duration: 1h }\n",
            "conditional\n    config: { condition: \"input\", true_edge: last }\n",
            "map\n    config: { items: [1, 2, 3], concurrency: 2, body: { nodes: [{id: w, type: work}] } }\n",
            "loop\n    config: { initial: 0, while: item < 3, body: { nodes: [{id: a, type: noop}, {id: b, \
             type: work, needs: [a]}, {id: c, type: transform, needs: [b], config: {output: '{{ item + \
             1 }}'}}] } }\n",
            "loop\n    config: { until: index == 1, body: { nodes: [{id: d, type: delay, config: {duration: \
             50ms}}] } }\n",
            "try\n    config: { body: { nodes: [{id: r, type: work, compensate: {type: work}}, {id: s, type: \
             work, effect: never, needs: [r]}] }, catch: [{body: {nodes: [{id: i, type: noop}]}}], \
             finally: {nodes: [{id: f, type: work}]} }\n",
            "map\n    config: { items: [1, 2], body: { nodes: [{id: g, type: try, config: {body: {nodes: [{id: \
             r, type: work}]}, finally: {nodes: [{id: f, type: noop}]}}}] } }\n",
            "workflow\n    config: { workflow: collect-numbers, input: \"{{ input }}\" }\n",
            "workflow\n    config: { workflow: collect-numbers, await: false }\n",
            "workflow\n    config: { workflow: nobody }\n",
            "work\n    compensate: { type: noop }\n",
            "approval\n    config: { title: May I?, quorum: 2 of 3, on_reject: continue, deadline: 10m, remind: \
             3m }\n",
            "approval\n    config: { title: May I? }\n",
            "wait_signal\n    config: { signal: go, timeout: 10m, on_timeout: continue }\n",
            "wait_event\n    config: { event: done, match: { n: 1 } }\n",
            "map\n    config: { items: [1, 2], body: { nodes: [{id: a, type: noop}, {id: b, type: \
             work, needs: [a]}] } }\n",
        ]));
        match chance.below(8) {
            0 => text.push_str("    on_failure: continue\n"),
            1 => text.push_str("    join: any\n"),
            _ => {}
        }
        for _ in 0..chance.below(3).min(at) {
            let source = chance.below(at);
            let on = *chance.of(&["success", "success", "success", "failure", "always"]);
            edges.push_str(&format!("  - {{ source: n{source}, target: n{at}, on: {on} }}\n"));
        }
    }
    // What is reviewed is drafted again until it is good enough.
    text.push_str("  - { id: draft, type: work }\n");
    text.push_str("  - { id: review, type: work, needs: [draft] }\n");
    edges.push_str(
        "  - { source: review, target: draft, when: review.output.by == 1, max_visits: 3 }\n",
    );
    text.push_str("  - { id: last, type: noop }\n");
    if !edges.is_empty() {
        text.push_str(&format!("edges:\n{edges}"));
    }
    if chance.below(4) == 0 {
        text.push_str("deadline: 40m\n");
    }
    if chance.below(2) == 0 {
        let on_limit = chance.of(&["queue", "queue", "skip", "cancel_oldest"]);
        text.push_str(&format!("concurrency: {{ limit: 2, on_limit: {on_limit} }}\n"));
        text.push_str(&format!("priority: {}\n", chance.below(3)));
    }
    let policy = *chance.of(&["fail_fast", "continue_independent", "aggregate"]);
    text.push_str(&format!("on_failure: {policy}\n"));
    let checked = check(&text, registry().kinds());
    Arc::new(checked.plan.unwrap_or_else(|| panic!("{text}\n{:#?}", checked.findings)))
}

/// What steps ask for runs of, with a first node of this kind.
pub(crate) fn child_plan(kind: &str) -> Arc<Plan> {
    let text = format!(
        "
name: collect-numbers
concurrency: {{ limit: 3 }}
nodes:
  - {{ id: w, type: {kind} }}
  - {{ id: d, type: delay, needs: [w], config: {{ duration: 20s }} }}
"
    );
    let checked = check(&text, registry().kinds());
    Arc::new(checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.findings)))
}
