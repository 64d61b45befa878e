//! Units of work, and steps that workers outside make.

use serde_json::json;

use super::Act::{
    Cancel, Checkpoint, Claim, Fire, GiveBack, GiveUp, Go, HandIn, Kill, LetGo, Submit, Vanish,
    Wait,
};
use super::{Scene, scene};

const DESK: &str = r#"{
  "instance": "desk",
  "master": "Refunds",
  "settings": { "retry_after": "1m", "retries": 1 },
  "templates": { "Refunds": {
    "workflow": { "name": "Refunds" },
    "roles": [
      { "name": "Intake", "role_type": "ALPHA" },
      { "name": "Payer", "role_type": "BETA", "strategy": "HOMOGENEOUS" },
      { "name": "Closer", "role_type": "OMEGA" },
      { "name": "Medic", "role_type": "EPSILON" },
      { "name": "Clock", "role_type": "TAU" }
    ],
    "interactions": [
      { "name": "Lines", "stale_token_limit_seconds": 600 },
      { "name": "Settled" }, { "name": "Ate" }, { "name": "Chronos" }
    ],
    "components": [
      { "name": "in", "role": "Intake", "interaction": "Lines", "direction": "OUTBOUND" },
      { "name": "pay", "role": "Payer", "interaction": "Lines", "direction": "INBOUND",
        "guardian": { "name": "not_free", "type": "CRITERIA_GATE",
                      "config": { "field": "total", "operator": "GT", "threshold": 0 } } },
      { "name": "again", "role": "Payer", "interaction": "Lines", "direction": "OUTBOUND",
        "guardian": { "name": "big", "type": "PASS_THRU", "config": { "interaction_policy": {
          "branches": [ { "condition": "total > 100" } ] } } } },
      { "name": "paid", "role": "Payer", "interaction": "Settled", "direction": "OUTBOUND",
        "guardian": { "name": "rest", "type": "PASS_THRU", "config": { "interaction_policy": {
          "branches": [ { "default": true } ] } } } },
      { "name": "close", "role": "Closer", "interaction": "Settled", "direction": "INBOUND",
        "guardian": { "name": "whole", "type": "CERBERUS", "config": { "wait_for_children": true } } },
      { "name": "mend", "role": "Medic", "interaction": "Ate", "direction": "INBOUND",
        "guardian": { "name": "any", "type": "PASS_THRU", "config": {} } },
      { "name": "mended", "role": "Medic", "interaction": "Settled", "direction": "OUTBOUND" },
      { "name": "give_up", "role": "Medic", "interaction": "Chronos", "direction": "OUTBOUND" },
      { "name": "late", "role": "Clock", "interaction": "Chronos", "direction": "INBOUND" },
      { "name": "back", "role": "Clock", "interaction": "Ate", "direction": "OUTBOUND" }
    ]
  } }
}"#;

const MEASURE: &str = "
name: Measure
nodes:
  - { id: measure, type: worker, timeout: 10m, retry: { max_attempts: 2, delay: 1s, jitter: 0 },
      config: { queue: big, kind: shell } }
  - { id: read, type: actor, needs: [measure], config: { role: clerk, title: Read it } }
";

pub(super) fn all() -> Vec<Scene> {
    let refund = |total: u32| json!({ "total": total });
    let pay = || Claim("u0", Some("Payer"));
    vec![
        scene(
            "units_of_a_set",
            DESK,
            refund(50),
            vec![
                Go,
                pay(),
                Checkpoint("u0", json!({ "read": 3 })),
                Submit("u0", json!({ "split": true }), vec![refund(20), refund(200)]),
                Claim("u2", Some("Payer")),
                GiveUp("u2"),
                Claim("u2", Some("Medic")),
                Submit("u2", json!({ "total": 2 }), vec![]),
                Claim("u0", Some("Closer")),
                Submit("u0", json!({ "closed": true }), vec![]),
            ],
        ),
        scene("unit_in_hands", DESK, refund(50), vec![Go, pay(), Checkpoint("u0", json!(1))]),
        scene("unit_rejected", DESK, refund(0), vec![Go, pay(), LetGo("u0", Some("not_free"))]),
        scene(
            "unit_lost",
            DESK,
            refund(50),
            vec![Go, pay(), Vanish("u0"), Claim("u0", Some("Clock"))],
        ),
        scene("unit_stale", DESK, refund(50), vec![Go, Wait(600_000), Fire("u0")]),
        scene("unit_given_back", DESK, refund(50), vec![Go, pay(), GiveBack("u0")]),
        scene("unit_paused", DESK, refund(50), vec![Go, pay(), Kill]),
        scene("unit_resumed", DESK, refund(50), vec![Go, pay(), Kill, LetGo("u0", None), pay()]),
        scene("units_cancelled", DESK, refund(50), vec![Go, pay(), Cancel(Some("enough"))]),
        scene(
            "steps_for_workers",
            MEASURE,
            json!(null),
            vec![
                Go,
                Claim("measure", None),
                Checkpoint("measure", json!("half")),
                GiveBack("measure"),
                Claim("measure", None),
                GiveUp("measure"),
                Wait(1_000),
                Fire("measure"),
                Claim("measure", None),
                HandIn("measure", json!({ "stdout": "2" })),
                Claim("read", None),
                HandIn("read", json!({ "risk": "low" })),
            ],
        ),
        scene("step_offered", MEASURE, json!(null), vec![Go]),
        scene("step_in_hands", MEASURE, json!(null), vec![Go, Claim("measure", None)]),
        scene(
            "step_lost_by_its_worker",
            MEASURE,
            json!(null),
            vec![Go, Claim("measure", None), Vanish("measure")],
        ),
        scene(
            "step_nobody_made_in_time",
            MEASURE,
            json!(null),
            vec![Go, Claim("measure", None), Wait(600_000), Fire("measure")],
        ),
    ]
}
