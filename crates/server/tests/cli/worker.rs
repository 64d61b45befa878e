//! `windlass worker`, against a server that only writes down what it hears.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::desk::Desk;
use crate::{command, text, windlass};

fn begin(at: &Path, desk: &Desk, arguments: &[&str]) -> Child {
    let mut all = vec!["worker", "--server", &desk.url, "--name", "ada", "--lease", "2s"];
    all.extend(arguments);
    let mut command = command(at, &all);
    command.env("WINDLASS_HTTP__ALLOW_LOOPBACK", "true").stderr(Stdio::inherit());
    // These programs run as whoever runs the tests.
    command.env("WINDLASS_SANDBOX__SHELL", "trusted").spawn().unwrap()
}

fn end(mut worker: Child) {
    let process = rustix::process::Pid::from_child(&worker);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(worker.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_does_built_in_kinds_of_its_queues() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = Desk::open().await;
    let queues = ["--queue", "gpu", "--queue", "cpu", "--concurrency", "2"];
    let worker = begin(directory.path(), &desk, &queues);
    let question = desk.next("poll").await;
    assert_eq!((&question["queues"], &question["max"]), (&json!(["cpu", "gpu"]), &json!(2)));
    assert!(question.get("roles").is_none() && question.get("kinds").is_none());

    let script = json!({ "script": "echo working; echo \"$WHO\"", "env": { "WHO": "Ada" } });
    desk.hand_out(json!({ "lease": "2s",
        "config": { "queue": "gpu", "kind": "shell", "config": script, "priority": 0 } }));
    let lines = desk.next("logs").await["lines"].clone();
    assert_eq!(lines[0], json!({ "stream": "stdout", "text": "working" }), "{lines}");
    let output = desk.next("complete").await["output"].clone();
    assert_eq!((&output["exit_code"], &output["stdout"]), (&json!(0), &json!("working\nAda")));
    desk.hand_out(json!({ "queue": "cpu",
        "config": { "queue": "cpu", "kind": "noop", "config": { "output": 5 } } }));
    assert_eq!(desk.next("complete").await["output"], 5);

    // What makes no sense is an error of the step, and of nothing else.
    for (config, code) in [
        (json!({ "kind": "shell", "config": { "script": "exit 3" } }), "exit_code"),
        (json!({ "kind": "shell", "config": { "skript": "" } }), "bad_config"),
        (json!({ "kind": "approval", "config": {} }), "unknown_kind"),
        (json!({}), "bad_config"),
    ] {
        desk.hand_out(json!({ "config": config }));
        let fail = desk.next("fail").await;
        assert_eq!(fail["code"], code, "{fail}");
    }
    end(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_gives_back_what_it_cannot_finish() {
    let directory = tempfile::tempdir().unwrap();
    let mut desk = Desk::open().await;
    let worker = begin(directory.path(), &desk, &["--queue", "gpu", "--drain", "0s"]);
    let script = json!({ "script": "echo begun; exec sleep 600" });
    desk.hand_out(json!({ "lease": "2s", "config": { "kind": "shell", "config": script } }));
    assert_eq!(desk.next("logs").await["lines"][0]["text"], "begun");
    end(worker);
    assert_eq!(desk.next("release").await, json!({ "worker": "ada", "fence": 7 }));
    assert!(!desk.rest().contains(&"fail".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_acts_in_a_role_by_a_node_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let deed = "type: shell\nconfig:\n  env: {WHO: \"{{ input.input.who }}\"}\n  \
                script: echo \"{{ input.title }} $WHO\"\n";
    std::fs::write(at.join("greet.yaml"), deed.replace("{{ input.title }} ", "Hello ")).unwrap();
    let mut desk = Desk::open().await;
    let worker = begin(at, &desk, &["--role", "clerk", "--do", "greet.yaml"]);
    assert_eq!(desk.next("poll").await["roles"], json!(["clerk"]));
    desk.hand_out(json!({ "kind": "actor", "queue": "role:clerk",
        "config": { "role": "clerk", "title": "Greet", "input": { "who": "Ada" } } }));
    assert_eq!(desk.next("complete").await["output"]["stdout"], "Hello Ada");
    end(worker);
}

#[test]
fn what_makes_no_sense_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    std::fs::write(at.join("pure.yaml"), "type: transform\nconfig: {output: 1}\n").unwrap();
    std::fs::write(at.join("none.yaml"), "type: nope\n").unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&[], "--queue"),
        (&["--queue", "q", "--lease", "10ms"], "`1s` to `1h`"),
        (&["--queue", "q", "--server", "nowhere"], "is not a URL"),
        (&["--role", "clerk"], "--do"),
        (&["--role", "clerk", "--do", "gone.yaml"], "gone.yaml"),
        (&["--role", "clerk", "--do", "none.yaml"], "nope"),
        (&["--role", "clerk", "--do", "pure.yaml"], "acts on nothing outside"),
    ];
    for (arguments, told) in cases {
        let output = windlass(at, &[&["worker"], arguments].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
}
