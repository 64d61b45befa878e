//! Steps that wait for somebody's word, and attempts that record and ask.

use serde_json::json;

use super::Act::{
    Approve, Ask, Cached, Cancel, Event, Fire, Go, Record, Reject, Signal, Start, Succeed, Wait,
};
use super::{Scene, scene};

const APPROVAL: &str = "
name: Approval
nodes:
  - id: ask
    type: approval
    config: { title: Send it?, subject: { n: 7 }, quorum: 2 of 3, deadline: 1h, remind: 10m }
  - { id: send, type: work, needs: [ask] }
";

const SIGNALS: &str = "
name: Signals
nodes:
  - { id: early, type: wait_signal, config: { signal: go } }
  - { id: late, type: wait_signal, needs: [early], config: { signal: go, timeout: 1m } }
  - { id: paid, type: wait_event, needs: [late], config: { event: paid, match: { n: 7 }, timeout: 1h, on_timeout: continue } }
";

const WORK: &str = "
name: Ask
nodes: [{ id: a, type: work }]
";

const CACHED: &str = "
name: Cached
nodes: [{ id: a, type: work, cache: { key: [1, x], ttl: 1h } }, { id: b, type: work, cache: { ttl: 1h }, needs: [a] }]
";

pub(super) fn all() -> Vec<Scene> {
    let null = || json!(null);
    vec![
        scene("cached", CACHED, null(), vec![Go, Cached("a", json!(7)), Succeed("b", json!(8))]),
        scene(
            "approved",
            APPROVAL,
            null(),
            vec![
                Go,
                Approve("ask", "ada"),
                Wait(600_000),
                Fire("ask"),
                Reject("ask", "bob"),
                Approve("ask", "eve"),
                Succeed("send", json!(1)),
            ],
        ),
        scene("approval_under_way", APPROVAL, null(), vec![Go, Approve("ask", "ada")]),
        scene("rejected", APPROVAL, null(), vec![Go, Reject("ask", "ada"), Reject("ask", "bob")]),
        scene("approval_too_late", APPROVAL, null(), vec![Go, Wait(3_600_000), Fire("ask")]),
        scene(
            "signals",
            SIGNALS,
            null(),
            vec![
                Go,
                Signal("other", json!(0)),
                Signal("go", json!(1)),
                Signal("go", json!(2)),
                Event("paid", "paid", json!({ "n": 7 })),
            ],
        ),
        scene(
            "signals_under_way",
            SIGNALS,
            null(),
            vec![Go, Signal("other", json!(0)), Signal("go", json!(1))],
        ),
        scene("signal_cancelled", SIGNALS, null(), vec![Go, Cancel(None)]),
        scene(
            "attempt_asks",
            WORK,
            null(),
            vec![
                Go,
                Start("a"),
                Record("a", "one"),
                Ask("a", "May I?"),
                Approve("a", "ada"),
                Record("a", "two"),
                Succeed("a", json!(1)),
            ],
        ),
        scene(
            "attempt_asking",
            WORK,
            null(),
            vec![Go, Start("a"), Record("a", "one"), Ask("a", "May I?")],
        ),
    ]
}
