//! Runs as traces, out of a server and into another.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Stopped, command, ok, ready};

/// A server that tells another of its runs.
fn serve(at: &Path, data: &str, here: &str, there: &str) -> (Stopped, String) {
    let mut serve = command(at, &["serve", "--data", data, "--listen", here]);
    serve.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("http://{there}/v1/traces"));
    let (server, url) = ready(serve.stderr(Stdio::piped()).spawn().unwrap());
    std::fs::write(at.join("one.yaml"), "name: one\nnodes: [{id: a, type: noop}]\n").unwrap();
    ok(at, &["workflow", "deploy", "one.yaml", "--server", &url]);
    (server, url)
}

fn wait_for_runs(at: &Path, url: &str, count: usize) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let listed = ok(at, &["runs", "list", "--server", url, "-o", "json"]);
        let runs: Vec<Value> = serde_json::from_str(&listed).unwrap();
        assert!(runs.len() <= count, "{listed}");
        if runs.len() == count {
            return;
        }
        assert!(Instant::now() < until, "{listed}");
        std::thread::yield_now();
    }
}

/// Two servers that tell each other of their runs do not go on about them for ever.
#[test]
fn a_run_that_came_in_as_a_trace_is_not_told_of_again() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    // Where they will listen has to be known before.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (one, other) = (free(), free());
    let [here, there] = [&one, &other].map(|it| it.local_addr().unwrap().to_string());
    drop((one, other));
    let (_one, here_url) = serve(at, "one", &here, &there);
    let (_other, there_url) = serve(at, "other", &there, &here);
    for count in 1..=2 {
        ok(at, &["workflow", "execute", "one", "--server", &here_url]);
        wait_for_runs(at, &there_url, count);
    }
    // One is told of behind the other: what the other server said of the first two would be here.
    ok(at, &["workflow", "execute", "one", "--server", &there_url]);
    wait_for_runs(at, &here_url, 3);
    wait_for_runs(at, &there_url, 3);
}
