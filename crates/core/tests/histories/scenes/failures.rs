//! What fails, what is stopped, and what that means for the rest.

use serde_json::json;

use super::Act::{Abort, Cancel, Fail, FailForGood, Fire, Go, Lose, Start, Succeed, Wait};
use super::ways::{BRANCH, ORDER};
use super::{Scene, scene};

const SIBLINGS: &str = "
name: Siblings
nodes:
  - { id: bad, type: work }
  - { id: after_bad, type: work, needs: [bad] }
  - { id: good, type: work }
  - { id: after_good, type: work, needs: [good] }
";

const SIBLINGS_GO_ON: &str = "
name: Siblings
on_failure: continue_independent
nodes:
  - { id: bad, type: work }
  - { id: after_bad, type: work, needs: [bad] }
  - { id: good, type: work }
  - { id: after_good, type: work, needs: [good] }
";

const SIBLINGS_AGGREGATE: &str = "
name: Siblings
on_failure: aggregate
nodes:
  - { id: bad, type: work }
  - { id: after_bad, type: work, needs: [bad] }
  - { id: good, type: work }
  - { id: after_good, type: work, needs: [good] }
";

const HANDLED: &str = "
name: Handled
nodes:
  - { id: a, type: work }
  - { id: ok, type: work }
  - { id: repair, type: transform, config: { output: \"{{ a.error.code }}\" } }
edges:
  - { source: a, target: ok }
  - { source: a, target: repair, on: failure }
output: \"{{ repair.output }}\"
";

const PASSED_OVER: &str = "
name: Passed over
nodes:
  - { id: a, type: work, on_failure: continue }
  - { id: b, type: transform, needs: [a], config: { output: [\"{{ a.output }}\", \"{{ a.error.message }}\"] } }
";

const CLEAN_UP: &str = "
name: Clean up
nodes:
  - { id: a, type: work }
  - { id: slow, type: work }
  - { id: clean, type: work }
  - { id: cleaner, type: work, needs: [clean] }
  - { id: never, type: work, needs: [slow] }
edges:
  - { source: a, target: clean, on: always }
  - { source: slow, target: clean }
";

pub(super) fn all() -> Vec<Scene> {
    let null = || json!(null);
    let mut dead_letter = vec![Go];
    for _ in 0..50 {
        dead_letter.extend([Lose("charge"), Wait(60_000), Fire("charge")]);
    }
    dead_letter.push(Lose("charge"));
    vec![
        scene("fail_fast", SIBLINGS, null(), vec![Go, Start("good"), Fail("bad", "boom")]),
        scene(
            "continue_independent",
            SIBLINGS_GO_ON,
            null(),
            vec![
                Go,
                FailForGood("bad", "boom"),
                Succeed("good", json!(1)),
                Succeed("after_good", json!(2)),
            ],
        ),
        scene(
            "aggregate",
            SIBLINGS_AGGREGATE,
            null(),
            vec![Go, Fail("bad", "boom"), Fail("good", "bang")],
        ),
        scene("failure_edge", HANDLED, null(), vec![Go, Fail("a", "boom")]),
        scene("on_failure_continue", PASSED_OVER, null(), vec![Go, Fail("a", "boom")]),
        scene(
            "clean_up",
            CLEAN_UP,
            null(),
            vec![Go, Fail("a", "boom"), Succeed("clean", json!(1)), Fail("cleaner", "worse")],
        ),
        scene("clean_up_under_way", CLEAN_UP, null(), vec![Go, Fail("a", "boom"), Start("clean")]),
        scene("cancelled_in_clean_up", CLEAN_UP, null(), vec![Go, Fail("a", "boom"), Cancel(None)]),
        scene("expression_error", ORDER, json!({}), vec![Go]),
        scene(
            "cancel",
            BRANCH,
            json!({ "amount": 500 }),
            vec![Go, Start("ask"), Cancel(Some("enough"))],
        ),
        scene("cancelled_before_it_began", ORDER, json!({}), vec![Cancel(Some("never mind"))]),
        scene("past_a_limit", ORDER, json!({ "amount": 1 }), vec![Go, Abort("history_limit")]),
        scene("dead_letter", ORDER, json!({ "amount": 1 }), dead_letter),
    ]
}
