//! The shapes a run can have, one scene each. A scene that is recorded is not changed; a new shape is
//! a new scene.

use serde_json::{Value, json};

/// A definition, and what happens in a run of it.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) input: Value,
    /// Whether the run has an external id and repeats another one.
    pub(crate) is_named: bool,
    pub(crate) acts: Vec<Act>,
}

/// One thing that happens. Whatever follows from it by itself follows at once.
pub(crate) enum Act {
    /// The run begins.
    Go,
    /// So many milliseconds pass.
    Wait(u64),
    Start(&'static str),
    Succeed(&'static str, Value),
    Fail(&'static str, &'static str),
    /// It fails in a way that the kind itself calls final.
    FailForGood(&'static str, &'static str),
    Lose(&'static str),
    Fire(&'static str),
    Cancel(Option<&'static str>),
    Abort(&'static str),
}

use Act::{Abort, Cancel, Fail, FailForGood, Fire, Go, Lose, Start, Succeed, Wait};

pub(crate) fn all() -> Vec<Scene> {
    let mut scenes = ways();
    scenes.extend(failures());
    scenes.extend(blocks());
    scenes.extend(waits());
    scenes
}

fn scene(name: &'static str, text: &'static str, input: Value, acts: Vec<Act>) -> Scene {
    Scene { name, text, input, is_named: false, acts }
}

const ORDER: &str = "
name: Order
vars: { tax: 0.19 }
nodes:
  - { id: begin, type: start }
  - { id: charge, type: work, needs: [begin], config: { amount: \"{{ begin.output.amount }}\" } }
  - { id: gross, type: transform, needs: [charge], config: { output: \"{{ charge.output.net * (1 + vars.tax) }}\" } }
  - { id: done, type: end, needs: [gross] }
";

const BRANCH: &str = "
name: Triage
nodes:
  - id: is_large
    type: conditional
    config: { condition: \"input.amount > 100\", true_edge: ask, false_edge: pay }
  - { id: ask, type: work }
  - { id: confirm, type: work, needs: [ask] }
  - { id: pay, type: work }
  - { id: done, type: end, needs: [confirm, pay] }
";

const SWITCH: &str = "
name: Route
nodes:
  - id: route
    type: switch
    config: { value: \"{{ input.topic }}\", cases: { invoice: billing, login: support }, default: people }
  - { id: billing, type: work }
  - { id: support, type: transform, config: { output: support } }
  - { id: people, type: transform, config: { output: people } }
";

const SKIPPED: &str = "
name: Skipped
nodes:
  - { id: a, type: work }
  - { id: b, type: work, needs: [a], when: \"a.output.go\" }
  - { id: c, type: work, needs: [b], join: all }
  - { id: d, type: transform, needs: [a, c], config: { output: [\"{{ b.status }}\", \"{{ c.status }}\"] } }
";

const JOINS: &str = "
name: Joins
nodes:
  - { id: a, type: work }
  - { id: b, type: work }
  - { id: c, type: work }
  - { id: any, type: work, needs: [a, b, c], join: any }
  - { id: two, type: work, needs: [a, b, c], join: { count: 2 } }
  - { id: all, type: work, needs: [a, b, c], join: all }
";

const SECRETS: &str = "
name: Secret
nodes:
  - id: call
    type: work
    config: { headers: { authorization: \"Bearer {{ secrets.token }}\" }, body: [\"{{ secrets.pin }}\", \"{{ input }}\"] }
";

fn ways() -> Vec<Scene> {
    let amount = |amount: u32| json!({ "amount": amount });
    vec![
        scene("created", ORDER, amount(7), vec![]),
        Scene {
            is_named: true,
            ..scene(
                "success",
                ORDER,
                amount(7),
                vec![Go, Start("charge"), Succeed("charge", json!({ "net": 100 }))],
            )
        },
        scene("conditional_and_join", BRANCH, amount(50), vec![Go, Succeed("pay", json!("paid"))]),
        scene(
            "switch",
            SWITCH,
            json!({ "topic": "invoice" }),
            vec![Go, Succeed("billing", json!(1))],
        ),
        scene("switch_default", SWITCH, json!({ "topic": "?" }), vec![Go]),
        scene("skipped", SKIPPED, json!(null), vec![Go, Succeed("a", json!({ "go": false }))]),
        scene(
            "joins",
            JOINS,
            json!(null),
            vec![
                Go,
                Succeed("b", json!(1)),
                Succeed("any", json!("first")),
                Succeed("a", json!(2)),
                Start("two"),
                Succeed("c", json!(3)),
                Succeed("all", json!("last")),
                Succeed("two", json!("second")),
            ],
        ),
        scene("secrets", SECRETS, json!("x"), vec![Go, Start("call")]),
        scene(
            "strange_values",
            "name: \"Stränge\\u2028\"\nnodes: [{ id: a-b_1, type: work, config: { x: \"{{ input }}\" } }]\n",
            json!({
                "": "\u{0}\u{1f}\"\\/\u{7f}\u{2028}é😀",
                "numbers": [0.1, 0.30000000000000004, 1e300, -0.0, 1.0, u64::MAX, i64::MIN, 5e-324],
                "b": { "a": [[], {}, null, true] },
            }),
            vec![Go, Succeed("a-b_1", json!([1.5e-7, 123_456_789_012_345_680_000_f64]))],
        ),
    ]
}

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

fn failures() -> Vec<Scene> {
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

const EACH: &str = "
name: Each
nodes:
  - id: each
    type: map
    config:
      items: \"{{ input }}\"
      concurrency: 2
      body:
        nodes:
          - { id: do, type: work, config: { n: \"{{ item }}\" } }
          - { id: then, type: transform, needs: [do], config: { output: \"{{ [index, do.output] }}\" } }
  - { id: after, type: transform, needs: [each], config: { output: \"{{ len(each.output) }}\" } }
";

const EACH_AGGREGATE: &str = "
name: Each
on_failure: aggregate
nodes:
  - { id: each, type: map, config: { items: \"{{ input }}\", body: { nodes: [{ id: do, type: work }] } } }
";

const NESTED: &str = "
name: Nested
nodes:
  - { id: base, type: transform, config: { output: 10 } }
  - id: rows
    type: map
    needs: [base]
    config:
      items: [[1, 2], [3]]
      body:
        nodes:
          - { id: row, type: transform, config: { output: \"{{ item }}\" } }
          - id: cells
            type: map
            needs: [row]
            config:
              items: \"{{ row.output }}\"
              body:
                nodes:
                  - { id: cell, type: work, config: { n: \"{{ base.output + item }}\" } }
                output: \"{{ cell.output }}\"
        output: \"{{ cells.output }}\"
  - { id: other, type: work }
output: \"{{ rows.output }}\"
";

fn blocks() -> Vec<Scene> {
    let items = || json!(["a", "b", "c", "d"]);
    vec![
        scene(
            "map_with_concurrency",
            EACH,
            json!(["a", "b", "c"]),
            vec![
                Go,
                Succeed("each[1].do", json!(1)),
                Succeed("each[0].do", json!(0)),
                Succeed("each[2].do", json!(2)),
            ],
        ),
        scene("map_of_nothing", EACH, json!([]), vec![Go]),
        scene(
            "map_under_way",
            EACH,
            items(),
            vec![Go, Start("each[0].do"), Succeed("each[1].do", json!(1))],
        ),
        scene(
            "map_item_failure",
            EACH,
            items(),
            vec![Go, Succeed("each[0].do", json!(0)), Fail("each[1].do", "boom")],
        ),
        scene(
            "map_failures_aggregated",
            EACH_AGGREGATE,
            json!([1, 2, 3]),
            vec![
                Go,
                Fail("each[0].do", "boom"),
                Succeed("each[1].do", json!(1)),
                Fail("each[2].do", "bang"),
            ],
        ),
        scene(
            "nested_map",
            NESTED,
            json!(null),
            vec![
                Go,
                Succeed("rows[1].cells[0].cell", json!("c")),
                Succeed("rows[0].cells[1].cell", json!("b")),
                Succeed("other", json!(0)),
                Succeed("rows[0].cells[0].cell", json!("a")),
            ],
        ),
        scene(
            "nested_map_failure",
            NESTED,
            json!(null),
            vec![Go, Fail("rows[0].cells[1].cell", "boom")],
        ),
        scene(
            "cancel_in_a_nested_map",
            NESTED,
            json!(null),
            vec![Go, Succeed("rows[0].cells[0].cell", json!("a")), Cancel(None)],
        ),
    ]
}

const RETRY: &str = "
name: Retry
nodes:
  - { id: a, type: work, retry: { max_attempts: 3, delay: 1s, jitter: 0.5 } }
";

const RETRY_AT_ONCE: &str = "
name: Retry
nodes:
  - { id: a, type: work, retry: { max_attempts: 2, delay: 0s } }
";

const DELAY: &str = "
name: Later
nodes:
  - { id: note, type: transform, config: { output: 7 } }
  - { id: wait, type: delay, needs: [note], config: { duration: 2h } }
  - { id: after, type: work, needs: [wait] }
";

const NEVER: &str = "
name: Charge
nodes:
  - { id: pay, type: work, effect: never, config: { amount: 7 } }
  - { id: ship, type: work, needs: [pay] }
";

const KEYED: &str = "
name: Keyed
nodes:
  - { id: pay, type: work, effect: keyed }
";

fn waits() -> Vec<Scene> {
    let null = || json!(null);
    vec![
        scene(
            "retry",
            RETRY,
            null(),
            vec![
                Go,
                Start("a"),
                Fail("a", "boom"),
                Wait(2_000),
                Fire("a"),
                Fail("a", "bang"),
                Wait(4_000),
                Fire("a"),
                Start("a"),
                Succeed("a", json!("at last")),
            ],
        ),
        scene(
            "retry_in_vain",
            RETRY_AT_ONCE,
            null(),
            vec![Go, Fail("a", "boom"), Fail("a", "bang")],
        ),
        scene("backing_off", RETRY, null(), vec![Go, Fail("a", "boom")]),
        scene(
            "delay",
            DELAY,
            null(),
            vec![Go, Wait(7_200_000), Fire("wait"), Succeed("after", json!(1))],
        ),
        scene("delay_under_way", DELAY, null(), vec![Go]),
        scene("delay_cancelled", DELAY, null(), vec![Go, Wait(1_000), Cancel(Some("enough"))]),
        scene(
            "interruption",
            KEYED,
            null(),
            vec![
                Go,
                Start("pay"),
                Lose("pay"),
                Wait(1_000),
                Fire("pay"),
                Succeed("pay", json!("once")),
            ],
        ),
        scene(
            "interrupted",
            RETRY,
            null(),
            vec![Go, Fail("a", "boom"), Wait(2_000), Fire("a"), Start("a"), Lose("a")],
        ),
        scene("parked", NEVER, null(), vec![Go, Start("pay"), Lose("pay")]),
        scene(
            "parked_and_cancelled",
            NEVER,
            null(),
            vec![Go, Start("pay"), Lose("pay"), Cancel(None)],
        ),
    ]
}
