//! What is known of another program's run, however its words come.

use serde_json::{Value, json};

use crate::harness::*;
use crate::observed::{report, run_of, steps_of};

/// What the auto-workflow library says: the key at the beginning only, and no times.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_once_stays_however_it_comes() {
    let server = Server::new();
    let about = |run: &str| {
        let base = json!({ "run_id": run, "flow": "etl" });
        let event = |fields: Value| {
            let mut event = base.clone();
            event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            event
        };
        vec![
            event(json!({ "event": "flow_started", "flow_key": "mod:etl" })),
            event(json!({ "event": "task_started", "task": "a", "node": "a:1", "priority": 3,
                "tags": ["t"], "task_key": "mod:a" })),
            event(json!({ "event": "task_ok", "task": "a", "node": "a:1", "duration_ms": 840.5 })),
            event(json!({ "event": "flow_completed", "status": "SUCCEEDED" })),
        ]
    };
    report(&server, Value::from(about("at once")).to_string()).await;
    for event in about("one by one") {
        report(&server, event.to_string()).await;
    }
    // Who sends them in another order says when they were.
    for (second, mut event) in about("backwards").into_iter().enumerate().rev() {
        event["ts"] = format!("2026-11-22T10:00:0{second}Z").into();
        report(&server, event.to_string()).await;
    }
    for run in ["at%20once", "one%20by%20one", "backwards"] {
        assert_eq!(run_of(&server, run).await["workflow"], "mod:etl", "{run}");
        let steps = steps_of(&server, run).await;
        let said = json!({ "task": "a", "priority": 3, "tags": ["t"], "task_key": "mod:a" });
        assert_eq!(steps[0]["input"], said, "{run}");
    }
    let line =
        json!({ "event": "middleware_error", "run_id": "at once", "task": "a", "error": "odd" });
    report(&server, line.to_string()).await;
    let lines = server.get("/api/v1/runs/at%20once/logs").await.body;
    assert_eq!(lines["items"][0]["path"], "a:1", "a line makes no task: {lines}");
    let flow = server.get("/api/v1/flows/mod%3Aetl").await.body;
    let known = json!([{ "task": "a", "task_key": "mod:a", "priority": 3, "tags": ["t"],
        "node_count": 1, "last_status": "succeeded" }]);
    assert_eq!(flow["tasks"], known, "nobody has described the flow");
    let tasks = server.get("/api/v1/runs/at%20once/tasks").await.body;
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1, "{tasks}");
    assert_eq!(tasks["items"][0]["duration_ms"], 840.5, "{tasks}");
}
