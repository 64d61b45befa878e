//! Edges that jump back.

use serde_json::json;

use super::{Act, Scene, scene};
use Act::{Go, Succeed};

pub(crate) fn all() -> Vec<Scene> {
    vec![scene(
        "jump_back",
        "
name: x
nodes:
  - { id: draft, type: work }
  - { id: review, type: work, needs: [draft] }
  - { id: publish, type: work, needs: [review] }
edges:
  - { source: review, target: draft, when: \"not review.output.good\", max_visits: 3 }
",
        json!(null),
        vec![
            Go,
            Succeed("draft", json!(1)),
            Succeed("review", json!({ "good": false })),
            Succeed("draft#2", json!(2)),
            Succeed("review#2", json!({ "good": true })),
            Succeed("publish", json!("out")),
        ],
    )]
}
