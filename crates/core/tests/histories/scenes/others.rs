//! What runs have to do with each other, and with people who hold them up.

use serde_json::json;

use super::{Act, Scene, scene};
use Act::{Admit, Cancel, ChildEnded, ChildStarted, Go, Pause, Resume, Succeed};

pub(crate) fn all() -> Vec<Scene> {
    let children = "
name: x
nodes:
  - { id: told, type: workflow, config: { workflow: other, await: false } }
  - { id: asked, type: workflow, needs: [told], config: { workflow: other, input: \"{{ input }}\" } }
  - { id: last, type: work, needs: [asked] }
";
    let acts = vec![
        Go,
        ChildStarted("told"),
        ChildStarted("asked"),
        ChildEnded("asked", json!([1])),
        Cancel(None),
    ];
    let shared = "
name: x
concurrency: { key: \"{{ input.who }}\", limit: 2, on_limit: cancel_oldest }
priority: 7
nodes: [{ id: a, type: work }]
";
    vec![
        scene("children", children, json!(3), acts),
        scene(
            "pause",
            "
name: x
nodes: [{ id: a, type: work }, { id: b, type: work, needs: [a] }]
",
            json!(null),
            vec![Go, Pause, Succeed("a", json!(1)), Resume, Succeed("b", json!(2))],
        ),
        scene(
            "admission",
            shared,
            json!({ "who": "ada" }),
            vec![Go, Admit, Succeed("a", json!(1))],
        ),
    ]
}
