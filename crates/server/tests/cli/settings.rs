//! What is set by variables, and what is said of them.

use std::io::BufRead;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{command, text};

#[test]
fn a_variable_is_text_whatever_it_looks_like() {
    let directory = tempfile::tempdir().unwrap();
    let shown = |name: &str, value: &str| {
        let mut command = command(directory.path(), &["config", "show", "-o", "json"]);
        let output = command.env(name, value).output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let settings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let is_set = |setting: &&Value| setting["origin"] == name;
        settings.iter().find(is_set).map(|setting| setting["value"].clone()).unwrap()
    };
    assert_eq!(shown("WINDLASS_ACCESS__JWT_SECRET", "12345678901"), "***");
    assert_eq!(shown("WINDLASS_ACCESS__JWT_AUDIENCE", "true"), "true");
    assert_eq!(shown("WINDLASS_STORE__DATA", "2026"), "2026");
    assert_eq!(shown("WINDLASS_SHELL__CONCURRENCY", "3"), json!(3));
    assert_eq!(
        shown("WINDLASS_HTTP__ALLOW", "10.0.0.0/8, db.internal"),
        json!(["10.0.0.0/8", "db.internal"])
    );
    assert_eq!(shown("WINDLASS_HTTP__ALLOW", "db.internal"), json!(["db.internal"]));
    assert_eq!(shown("WINDLASS_HTTP__ALLOW", "[a, b]"), json!(["a", "b"]));
    assert_eq!(shown("WINDLASS_STORE__RETENTION", "30d"), "30d");
    assert_eq!(shown("WINDLASS_RETENTION__FAILED", "90d"), "90d");
    assert_eq!(shown("WINDLASS_RETENTION__CANCELLED", "24h"), "24h");
}

#[test]
fn the_server_that_flows_are_told_to_is_asked_if_no_other_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let (server, url) = crate::serve(at, "127.0.0.1:0");
    let listed = |more: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["workflow", "list"], more].concat();
        let mut command = command(&elsewhere(at), &arguments);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.success(), text(&output.stderr))
    };
    let nowhere = "http://127.0.0.1:9";
    assert_eq!(listed(&[], &[("WINDLASS_URL", &url)]), (true, String::new()));
    assert!(listed(&[], &[("WINDLASS_URL", &url), ("WINDLASS_SERVER", &url)]).0);
    assert!(!listed(&[], &[("WINDLASS_URL", &url), ("WINDLASS_SERVER", nowhere)]).0);
    assert!(listed(&["--server", &url], &[("WINDLASS_URL", nowhere)]).0);
    let (is_well, error) = listed(&["--data", "none"], &[("WINDLASS_URL", &url)]);
    assert!(!is_well && error.contains("no data in `none`"), "{error}");
    let (is_well, error) = listed(&[], &[("WINDLASS_URL", "")]);
    assert!(!is_well && error.contains("there is no server"), "{error}");
    crate::stop(server);
}

/// A directory without data.
fn elsewhere(at: &std::path::Path) -> std::path::PathBuf {
    let place = at.join("elsewhere");
    std::fs::create_dir_all(&place).unwrap();
    place
}

#[test]
fn what_is_wrong_with_a_variable_is_said_without_its_value() {
    let directory = tempfile::tempdir().unwrap();
    for (name, value, wanted) in [
        (
            "WINDLASS_STORE__RETENTION",
            "5",
            "store.retention: a duration such as `30d`, `12h` or `5s` is expected, not `5` (from",
        ),
        ("WINDLASS_STORE__RETENTION", "5", "(from WINDLASS_STORE__RETENTION)"),
        (
            "WINDLASS_SHELL__CONCURRENCY",
            "many",
            "shell.concurrency: a whole number is expected, not a text",
        ),
    ] {
        let mut command = command(directory.path(), &["config", "check"]);
        let output = command.env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output.stderr).contains(wanted), "{wanted}: {}", text(&output.stderr));
    }
}

#[test]
fn a_log_in_json_is_nothing_but_json() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "d"];
    let mut server = command(directory.path(), &arguments);
    let mut server =
        server.env("WINDLASS_LOG__FORMAT", "json").stderr(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(server.stderr.take().unwrap()).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let ready = lines.find(|line| line["message"] == "windlass is ready").unwrap();
    assert!(ready["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{ready}");
    server.kill().unwrap();
    server.wait().unwrap();
}
