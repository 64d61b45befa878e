//! Runs that other programs drive.

use serde_json::Value;
use windlass_core::run::{FlowWord, RunStatus, SeenEnd, TaskWord};

use super::Act::{Fire, Flow, Line, Name, Task, Trigger, Wait};
use super::{Scene, scene};

const NIGHTLY: &str = r#"{ "flow": "shop:nightly", "name": "nightly" }"#;
const HOUR: u64 = 3_600_000;

pub(super) fn all() -> Vec<Scene> {
    let ended = |end| TaskWord::Ended(end);
    vec![
        scene(
            "observed",
            NIGHTLY,
            Value::Null,
            vec![
                Flow(FlowWord::Started, None),
                Task("load:1", TaskWord::Started),
                Line(7),
                Task("load:1", TaskWord::Retried),
                Task("load:1", ended(SeenEnd::Succeeded)),
                Task("save:1", TaskWord::Started),
                Flow(FlowWord::Ended, Some(SeenEnd::Failed)),
            ],
        ),
        scene(
            "observed_in_silence",
            NIGHTLY,
            Value::Null,
            vec![
                Task("load:1", ended(SeenEnd::Failed)),
                Wait(HOUR),
                Fire(""),
                Task("save:1", TaskWord::Started),
                Wait(HOUR),
                Fire(""),
                Wait(30 * HOUR),
                Fire(""),
                Task("save:1", ended(SeenEnd::Skipped)),
                Flow(FlowWord::Ended, None),
            ],
        ),
        scene(
            "observed_before_its_flow",
            r#"{ "flow": "(unknown)" }"#,
            Value::Null,
            vec![
                Task("load:1", TaskWord::Started),
                Name("shop:nightly"),
                Name("shop:daily"),
                Flow(FlowWord::Started, None),
                Flow(FlowWord::Ended, Some(SeenEnd::Succeeded)),
            ],
        ),
        scene(
            "observed_and_followed",
            NIGHTLY,
            Value::Null,
            vec![
                Flow(FlowWord::Started, None),
                Flow(FlowWord::Ended, Some(SeenEnd::Failed)),
                Trigger(RunStatus::Failed),
                Flow(FlowWord::Ended, Some(SeenEnd::Succeeded)),
                Trigger(RunStatus::Succeeded),
            ],
        ),
    ]
}
