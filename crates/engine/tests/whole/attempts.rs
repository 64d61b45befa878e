//! Attempts made by real children: repeated, timed out, limited, and with faults of their own.

use std::collections::HashMap;

use serde_json::{Value, json};
use windlass_core::run::{RunStatus, StepStatus};

use crate::ground::Ground;
use crate::kinds;

/// A workflow of one shell step.
fn shell(script: &str, more: Value) -> String {
    let mut step = json!({ "id": "a", "type": "shell", "config": { "script": script } });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "name": "Shell", "nodes": [step] }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_fails_is_repeated_and_knows_its_number() {
    for ground in Ground::both() {
        let server = ground.serve();
        let script = format!(
            "echo attempt $WINDLASS_ATTEMPT | tee -a {}; [ $WINDLASS_ATTEMPT = 3 ] || exit 7",
            ground.file("effects").display()
        );
        let retry = json!({ "retry": { "max_attempts": 5, "delay": "5ms", "jitter": 0 } });
        let run = server.run(&shell(&script, retry), json!(null)).await;
        assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
        assert_eq!(run.output.as_deref().unwrap()["stdout"], "attempt 3");
        let attempts = ["attempt 1", "attempt 2", "attempt 3"];
        assert_eq!(ground.lines("effects"), attempts);
        let logged: Vec<(u32, String)> =
            server.logs(run.run_id).into_iter().map(|log| (log.attempt, log.text)).collect();
        let expected: Vec<(u32, String)> = (1..).zip(attempts.map(str::to_owned)).collect();
        assert_eq!(logged, expected);
        let step = server.step(run.run_id, "a");
        assert_eq!((step.attempt, step.status), (3, StepStatus::Succeeded));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_past_its_time_is_ended_and_may_be_repeated() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let script = "[ $WINDLASS_ATTEMPT = 1 ] && exec sleep 600; echo done";
    let more = json!({
        "timeout": "500ms",
        "retry": { "max_attempts": 20, "delay": "1ms", "on": ["timeout"] },
    });
    let run = server.run(&shell(script, more), json!(null)).await;
    assert_eq!(run.output.as_deref().unwrap()["stdout"], "done");

    let run = server.run(&shell("exec sleep 600", json!({ "timeout": "50ms" })), json!(null)).await;
    assert_eq!(run.status, RunStatus::Failed);
    let error = run.error.unwrap();
    assert_eq!((error.code.as_str(), error.step.as_deref()), ("timeout", Some("a")));
    assert_eq!(error.message, "the attempt did not end within its time of 50ms");
    server.until_childless().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_what_the_child_said() {
    let ground = Ground::on_disk();
    let server = ground.serve();
    let run = server.run(&shell("echo out; echo err >&2; exit 3", json!({})), json!(null)).await;
    let error = run.error.unwrap();
    assert_eq!(error.to_string(), "a: it ended with exit code 3 (exit_code)");
    assert_eq!(error.details, Some(json!({ "exit_code": 3, "stdout": "out", "stderr": "err" })));
    assert_eq!(server.row(run.run_id).error.unwrap().code, "exit_code");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_kept_over_all_runs() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(|config| {
        config.dispatch.limits = HashMap::from([("shell".to_owned(), 1)]);
    });
    let effects = ground.file("effects");
    let script = format!("echo in >> {0}; sleep 0.01; echo out >> {0}", effects.display());
    let text = shell(&script, json!({}));
    let mut runs = Vec::new();
    for _ in 0..8 {
        runs.push(server.begin(&text, json!(null)).await);
    }
    for run_id in runs {
        assert_eq!(server.end_of(run_id).await.status, RunStatus::Succeeded);
    }
    assert_eq!(ground.lines("effects"), ["in", "out"].repeat(8), "never two at a time");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_node_is_that_steps_failure_and_nobody_elses() {
    let ground = Ground::in_memory();
    let server = ground.serve_with(kinds::faulty);
    let text = "
name: Faulty
nodes:
  - { id: bad, type: faulty, on_failure: continue }
  - { id: good, type: noop, config: { output: 1 } }
output: [\"{{ bad.error.code }}\", \"{{ good.output }}\"]
";
    let run = server.run(text, json!(null)).await;
    assert_eq!(run.output.as_deref(), Some(&json!(["panic", 1])));
    let run = server.run("name: One\nnodes: [{ id: a, type: noop }]\n", json!(null)).await;
    assert_eq!(run.status, RunStatus::Succeeded, "the server goes on");
    server.stop().await;
}
