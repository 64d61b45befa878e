//! Which way a run takes, and what it carries.

use serde_json::json;

use super::Act::{Go, Start, Succeed};
use super::{Scene, scene};

pub(super) const ORDER: &str = "
name: Order
vars: { tax: 0.19 }
nodes:
  - { id: begin, type: start }
  - { id: charge, type: work, needs: [begin], config: { amount: \"{{ begin.output.amount }}\" } }
  - { id: gross, type: transform, needs: [charge], config: { output: \"{{ charge.output.net * (1 + vars.tax) }}\" } }
  - { id: done, type: end, needs: [gross] }
";

pub(super) const BRANCH: &str = "
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

pub(super) fn all() -> Vec<Scene> {
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
