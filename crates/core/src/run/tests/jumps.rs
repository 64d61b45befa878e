use serde_json::json;

use super::harness::{Run, kinds};
use crate::definition::check;
use crate::run::*;

const REVIEW: &str = "
name: x
nodes:
  - { id: plan, type: work }
  - { id: draft, type: work, needs: [plan], config: { said: \"{{ review.output }}\" } }
  - { id: look, type: transform, needs: [draft], config: { output: \"{{ draft.output }}\" } }
  - { id: review, type: work, needs: [look] }
  - { id: good, type: conditional, needs: [review], config: { condition: review.output.good, true_edge: publish, false_edge: draft } }
  - { id: publish, type: work }
edges:
  - { source: good, target: draft, max_visits: 3 }
output: { draft: \"{{ draft.output }}\", published: \"{{ publish.output }}\" }
";

fn bad() -> serde_json::Value {
    json!({ "good": false })
}

#[test]
fn what_is_jumped_back_to_runs_again_and_sees_the_visit_before() {
    let mut run = Run::start(REVIEW, json!(null));
    run.succeed("plan", json!(0)).unwrap();
    run.succeed("draft", json!("one")).unwrap();
    run.succeed("review", bad()).unwrap();
    let again = run.state.step("draft#2").unwrap();
    assert_eq!(again.status, StepStatus::Queued);
    assert_eq!(**again.input.as_ref().unwrap(), json!({ "said": { "good": false } }));
    run.succeed("draft#2", json!("two")).unwrap();
    assert_eq!(run.state.step("look#2").unwrap().output.as_deref(), Some(&json!("two")));
    run.succeed("review#2", bad()).unwrap();
    assert!(run.state.step("draft").is_none(), "nobody can name the first visit any more");
    run.succeed("draft#3", json!("three")).unwrap();
    run.succeed("review#3", json!({ "good": true })).unwrap();
    run.succeed("publish", json!("out")).unwrap();
    assert_eq!(run.status(), RunStatus::Succeeded, "{}", run.error());
    assert_eq!(run.output(), json!({ "draft": "three", "published": "out" }));
    let counts = &run.state.counts;
    assert_eq!((counts.total(), counts.of(StepStatus::Succeeded)), (14, 14));
}

#[test]
fn a_node_runs_no_more_often_than_it_may() {
    let mut run = Run::start(REVIEW, json!(null));
    run.succeed("plan", json!(0)).unwrap();
    for visit in ["", "#2", "#3"] {
        run.succeed(&format!("draft{visit}"), json!(1)).unwrap();
        run.succeed(&format!("review{visit}"), bad()).unwrap();
    }
    assert_eq!(run.status(), RunStatus::Failed);
    assert_eq!(run.error(), "good#3: `draft` has run 3 times, and may not run again (visit_limit)");
}

#[test]
fn a_join_behind_the_loop_remembers_what_came_from_elsewhere() {
    let mut run = Run::start(
        "
name: x
nodes:
  - { id: side, type: work }
  - { id: a, type: work }
  - { id: b, type: work, needs: [a] }
  - { id: both, type: transform, needs: [side, b], join: all, config: { output: [\"{{ side.output }}\", \"{{ b.output }}\"] } }
edges:
  - { source: b, target: a, when: b.output < 2, max_visits: 9 }
",
        json!(null),
    );
    run.succeed("side", json!("s")).unwrap();
    run.succeed("a", json!(0)).unwrap();
    run.succeed("b", json!(1)).unwrap();
    assert_eq!(run.status(), RunStatus::Running);
    run.succeed("a#2", json!(0)).unwrap();
    run.succeed("b#2", json!(2)).unwrap();
    assert_eq!(run.output(), json!(["s", 2]));
}

#[test]
fn a_failure_can_jump_back_too_and_so_can_what_is_in_a_block() {
    let mut run = Run::start(
        "
name: x
nodes:
  - id: each
    type: map
    config:
      items: [1, 2]
      body:
        nodes: [{ id: a, type: work }, { id: b, type: work, needs: [a] }]
        edges: [{ source: b, target: a, on: failure, max_visits: 2 }]
",
        json!(null),
    );
    run.succeed("each[0].a", json!(1)).unwrap();
    run.fail("each[0].b", "no").unwrap();
    run.succeed("each[0].a#2", json!(1)).unwrap();
    run.succeed("each[0].b#2", json!(1)).unwrap();
    run.succeed("each[1].a", json!(1)).unwrap();
    run.fail("each[1].b", "no").unwrap();
    run.succeed("each[1].a#2", json!(1)).unwrap();
    run.fail("each[1].b#2", "no").unwrap();
    assert_eq!(run.error(), "each[1].b#2: it did not work (no)");
}

#[test]
fn a_block_runs_again_with_a_path_of_its_own() {
    let mut run = Run::start(
        "
name: x
nodes:
  - { id: each, type: map, config: { items: [1], body: { nodes: [{ id: a, type: work }] } } }
  - { id: b, type: work, needs: [each] }
edges: [{ source: b, target: each, when: b.output, max_visits: 2 }]
",
        json!(null),
    );
    run.succeed("each[0].a", json!(1)).unwrap();
    run.succeed("b", json!(true)).unwrap();
    run.succeed("each#2[0].a", json!(1)).unwrap();
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.steps().last().unwrap(), "b#2 cancelled (run_cancelled)");
}

#[test]
fn jumps_that_nobody_could_follow_are_found_before_a_run() {
    let found = |edges: &str| {
        let text = format!(
            "
name: x
nodes:
  - {{ id: a, type: work }}
  - {{ id: b, type: work, needs: [a] }}
  - {{ id: beside, type: work, needs: [a] }}
  - {{ id: c, type: work, needs: [b] }}
edges: [{edges}]
"
        );
        let findings = check(&text, &kinds()).findings;
        findings.iter().map(|finding| format!("{} {}", finding.code, finding.message)).collect()
    };
    let none: Vec<String> = found("{ source: c, target: b, max_visits: 2 }");
    assert_eq!(none, [] as [&str; 0]);
    let beside: Vec<String> = found("{ source: c, target: a, max_visits: 2 }");
    assert_eq!(
        beside,
        ["bad-jump `beside` runs beside `c` and could be under way when it jumps back"]
    );
    let ahead: Vec<String> = found("{ source: b, target: c, max_visits: 2 }");
    assert_eq!(ahead, ["bad-jump `c` does not come before `b`, so nothing jumps back"]);
    let once: Vec<String> = found("{ source: c, target: b, max_visits: 1 }");
    assert_eq!(once, ["bad-value a node may run 2 to 10000 times"]);
}
