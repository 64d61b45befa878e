//! Runs as files, in and out.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{command, ok, ready, serve_with, windlass};

/// What a file says, once it says what is wanted.
fn says(path: &Path, wanted: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if wanted(&value) {
            return value;
        }
        assert!(Instant::now() < until, "{}: {value}", path.display());
        std::thread::yield_now();
    }
}

#[test]
fn runs_are_files_that_another_server_takes_in() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (runs, queue) = (at.join("runs"), at.join("queue-state.json"));
    let mut first = command(at, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    first.env("WORKFLOWS_DIR", &runs).env("QUEUE_STATE_FILE", &queue);
    first.env("MAX_PARALLEL_NODES", "1").stderr(Stdio::piped());
    let (server, url) = ready(first.spawn().unwrap());
    let _server = server;
    let nap = "name: nap\nnodes:\n  - {id: a, type: shell, config: {script: 'echo one'}}\n  \
               - {id: wait, type: wait_signal, needs: [a], config: {signal: go}}\n";
    std::fs::write(at.join("nap.yaml"), nap).unwrap();
    ok(at, &["workflow", "deploy", "nap.yaml", "--server", &url]);
    let run = ok(at, &["workflow", "execute", "nap", "--server", &url]);
    let id = run.trim();
    let file = runs.join(id).join("state.json");
    let state = says(&file, |state| state["steps"][1]["status"] == "RUNNING");
    assert_eq!((&state["id"], &state["progress"]), (&id.into(), &50.into()));
    let logs = state["steps"][0]["logs"].as_array().unwrap();
    assert!(logs.contains(&"one".into()), "{state}");
    assert_eq!(says(&queue, Value::is_array), json!([]));
    ok(at, &["runs", "signal", id, "go", "--server", &url]);
    says(&file, |state| state["status"] == "COMPLETED");

    // Of two that wait for the same place, one is in the queue.
    let slow = "name: slow\nnodes:\n  - {id: s, type: shell, config: {script: 'sleep 60'}}\n  \
                - {id: t, type: shell, config: {script: 'sleep 60'}}\n";
    std::fs::write(at.join("slow.yaml"), slow).unwrap();
    ok(at, &["workflow", "deploy", "slow.yaml", "--server", &url]);
    let slow = ok(at, &["workflow", "execute", "slow", "--server", &url]);
    let waiting = says(&queue, |queue| queue.as_array().is_some_and(|queue| queue.len() == 1));
    assert_eq!(waiting[0]["workflow_id"], slow.trim());
    ok(at, &["runs", "cancel", slow.trim(), "--server", &url]);
    says(&runs.join(slow.trim()).join("state.json"), |state| state["status"] == "STOPPED");

    // The directory of another engine, with one that makes no sense.
    std::fs::create_dir(runs.join("broken")).unwrap();
    std::fs::write(runs.join("broken/state.json"), "{").unwrap();
    let arguments = ["serve", "--data", "e", "--listen", "127.0.0.1:0"];
    let (other, other_url) = serve_with(at, &arguments);
    let _other = other;
    let import = || windlass(at, &["runs", "import", "runs", "--server", &other_url]);
    let taken = import();
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(said.contains("2 taken in, 0 known already, 1 not readable"), "{said}");
    assert_eq!(taken.status.code(), Some(3), "{said}");
    let shown = ok(at, &["runs", "show", id, "--server", &other_url, "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["status"], "succeeded", "{shown}");
    let said = String::from_utf8_lossy(&import().stderr).into_owned();
    assert!(said.contains("0 taken in, 2 known already"), "{said}");
}

/// More runs than a start writes of those that were there before come in at once, all of them over.
#[test]
fn all_runs_that_come_in_at_once_become_files() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let runs = at.join("runs");
    let mut serve = command(at, &["serve", "--data", "d", "--listen", "127.0.0.1:0"]);
    serve.env("WORKFLOWS_DIR", &runs).stderr(Stdio::piped());
    let (server, url) = ready(serve.spawn().unwrap());
    let _server = server;
    let count = 1_300;
    let mut lines = String::new();
    for number in 0..count {
        for (second, event) in [(0, "flow_started"), (1, "flow_completed")] {
            let ts = format!("2026-11-22T10:00:0{second}Z");
            let fields = json!({ "event": event, "run_id": format!("r{number}"), "flow": "many",
                "flow_key": "many", "ts": ts });
            lines.push_str(&format!("{fields}\n"));
        }
    }
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = lines.len();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + &lines).as_bytes()).unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let written = std::fs::read_dir(&runs).map_or(0, Iterator::count);
        if written == count {
            return;
        }
        assert!(Instant::now() < until, "{written} of {count}");
        std::thread::yield_now();
    }
}
