//! Attempts that are repeated or lost, and times that are waited for.

use serde_json::json;

use super::Act::{Cancel, Fail, Fire, Go, Lose, MarkSkipped, MarkSucceeded, Start, Succeed, Wait};
use super::{Scene, scene};

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

const DEADLINE: &str = "
name: Deadline
deadline: 1m
nodes:
  - { id: book, type: work, compensate: { type: work } }
  - { id: wait, type: delay, needs: [book], config: { duration: 1h } }
";

pub(super) fn all() -> Vec<Scene> {
    let null = || json!(null);
    vec![
        scene(
            "deadline_passed",
            DEADLINE,
            null(),
            vec![
                Go,
                Succeed("book", json!(1)),
                Wait(60_000),
                Fire(""),
                Succeed("book~undo", json!(2)),
            ],
        ),
        scene(
            "parked_and_marked",
            NEVER,
            null(),
            vec![
                Go,
                Start("pay"),
                Lose("pay"),
                MarkSucceeded("pay", json!("it was paid")),
                MarkSkipped("ship"),
            ],
        ),
        scene("deadline_ahead", DEADLINE, null(), vec![Go, Succeed("book", json!(1))]),
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
