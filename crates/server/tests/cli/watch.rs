//! Runs that are watched.

use std::process::{Command, Stdio};

use serde_json::json;
use windlass_server::client::{Client, Question};

use crate::{ok, serve, stop, text, windlass};

#[test]
fn a_run_is_watched_over_a_restart_of_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let definition = "name: nap\nnodes:\n  - {id: nap, type: delay, config: {duration: 2s}}\n  \
                      - {id: b, type: noop, needs: [nap], config: {output: '{{ input.n }}'}}\n";
    std::fs::write(at.join("nap.yaml"), definition).unwrap();
    let (server, url) = serve(at, "127.0.0.1:0");
    ok(at, &["workflow", "deploy", "nap.yaml", "--data", "d"]);
    let run = ok(at, &["workflow", "execute", "nap", "-i", "n=1", "--data", "d"]);
    let mut watch = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["runs", "watch", run.trim(), "--server", &url])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = std::io::BufReader::new(watch.stdout.take().unwrap());
    let mut story = String::new();
    while !story.contains("step waiting") {
        assert_ne!(std::io::BufRead::read_line(&mut told, &mut story).unwrap(), 0, "{story}");
    }
    stop(server);
    let mut excuse = std::io::BufReader::new(watch.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut excuse, &mut line).unwrap();
    assert!(line.contains("trying again"), "{line}");
    let (server, _) = serve(at, url.trim_start_matches("http://"));
    std::io::Read::read_to_string(&mut told, &mut story).unwrap();
    assert!(watch.wait().unwrap().success(), "{story}");
    assert_eq!(story.matches("run started").count(), 1, "{story}");
    assert!(story.contains("run succeeded"), "{story}");
    let failed = windlass(at, &["workflow", "execute", "nap", "--watch", "--data", "d"]);
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stdout));
    stop(server);
}

/// Somebody at a terminal learns of a run of another program what its page says, too.
#[test]
fn a_run_of_another_program_says_what_went_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (server, url) = serve(at, "127.0.0.1:0");
    let event = |event: &str| json!({ "event": event, "run_id": "night-7", "flow": "nightly" });
    let mut failed = event("task_err");
    failed["node"] = "load:1".into();
    failed["error"] = json!({ "message": "no room\nTraceback", "type": "ValueError" });
    let mut line = event("task_log");
    (line["message"], line["event_id"]) = ("late".into(), "l-1".into());
    let mut told = event("flow_completed");
    (told["status"], told["error"]) = ("FAILED".into(), "ValueError: boom".into());
    // The second one only stops, and fails by what its tasks did.
    let untold =
        [event("flow_started"), failed.clone(), event("flow_completed")].map(|mut event| {
            event["run_id"] = "night-8".into();
            event
        });
    let told = [event("flow_started"), line, failed, told];
    let events: Vec<_> = told.into_iter().chain(untold).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::remote(&url).unwrap();
    let answer = client.expect(Question::post("/api/v1/events", &json!(events)));
    assert_eq!(runtime.block_on(answer).unwrap()["accepted"], 7);

    let list = ok(at, &["runs", "list", "--server", &url]);
    let (head, rows) = list.split_once('\n').unwrap();
    assert!(head.ends_with("EXTERNAL ID") && rows.contains("night-7"), "{list}");

    let untold = rows.lines().find(|row| row.ends_with("night-8")).unwrap();
    let (id, _) = untold.split_once(' ').unwrap();
    let (_, end) = id.rsplit_once('-').unwrap();
    for word in [id, end, "night-8"] {
        let shown = ok(at, &["runs", "show", word, "--server", &url]);
        assert!(shown.contains("external id  night-8\n"), "{shown}");
        assert!(shown.contains("error        load:1: no room (task_failed)\n"), "{shown}");
    }
    let shown = ok(at, &["runs", "show", "night-7", "--server", &url]);
    assert!(shown.contains("error        ValueError: boom (flow_failed)\n"), "{shown}");
    let step = shown.lines().last().unwrap();
    assert!(step.starts_with("load:1") && step.ends_with("no room (task_failed)"), "{shown}");

    for (run, end) in
        [("night-7", "failed\n"), ("night-8", "failed: load:1: no room (task_failed)\n")]
    {
        let output = windlass(at, &["runs", "watch", run, "--server", &url]);
        let story = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{story}");
        assert!(story.ends_with(end) && story.contains("task failed           load:1: no room\n"));
        assert!(!story.contains("watched") && !story.contains("lines seen"), "{story}");
        assert_eq!(story.contains("flow failed           ValueError: boom\n"), run == "night-7");
    }
    stop(server);
}
