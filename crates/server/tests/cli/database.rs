//! The commands on a Postgres server.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::postgres::{PASSWORD, fresh_database, sql};
use crate::{EXAMPLES, command, ok, text, windlass};

#[test]
fn a_killed_run_on_a_server_goes_on() {
    let (directory, url) = (tempfile::tempdir().unwrap(), fresh_database());
    let at = directory.path();
    let definition = "name: long\nnodes:\n  - {id: a, type: shell, config: {env: {F: '{{ input.f }}'}, \
                      script: 'echo done >> \"$F\"'}}\n  - {id: nap, type: delay, needs: [a], \
                      config: {duration: 2s}}\n  - {id: b, type: transform, needs: [nap], config: \
                      {output: '{{ a.output.exit_code }}'}}\n";
    std::fs::write(at.join("long.yaml"), definition).unwrap();
    let effects = at.join("effects");
    let input = format!("f={}", effects.display());
    let mut child = command(at, &["run", "long.yaml", "--database", &url, "--input", &input])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut run = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        assert!(!line.contains(PASSWORD) && !line.contains("s3cr%3Aet"), "{line}");
        if let Some(rest) = line.strip_prefix("run ") {
            run = rest.split(',').next().map(str::to_owned);
        }
        if line.starts_with("nap: waits") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let run = run.unwrap();
    let printed = ok(at, &["run", "--resume", &run, "--database", &url]);
    assert_eq!(printed.trim(), "0");
    assert_eq!(std::fs::read_to_string(effects).unwrap(), "done\n", "done once");
    assert!(sql(&url, "TABLE run").contains("|succeeded|"));
    assert!(!at.join("windlass-data/windlass.db").exists(), "nothing is kept beside the database");
}

#[test]
fn commands_open_the_database_themselves_if_no_server_runs() {
    let (directory, url) = (tempfile::tempdir().unwrap(), fresh_database());
    let asked = |arguments: &[&str]| {
        let mut command = command(directory.path(), arguments);
        let output = command.env("WINDLASS_DATABASE_URL", &url).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let file = format!("{EXAMPLES}/triage-order.json");
    asked(&["workflow", "deploy", &file]);
    asked(&["workflow", "execute", "Triage an order", "-i", "customer=Ada", "-i", "amount=5"]);
    let list: Value = serde_json::from_str(&asked(&["runs", "list", "-o", "json"])).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    assert!(sql(&url, "TABLE workflow").contains("|Triage an order|"));
    let shown = asked(&["config", "show"]);
    assert!(shown.contains("postgres://windlass:***@127.0.0.1"), "{shown}");
    assert!(!shown.contains("s3cr"), "{shown}");
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    for (url, status, word) in [
        ("postgres://ann:hidden@127.0.0.1:1/x", 7, "cannot open the database"),
        ("mysql://ann:hidden@db/x", 2, "begins with `postgres://`"),
        ("postgres://ann:hidden@db/x?sslmode=perhaps", 7, "`sslmode` must be"),
    ] {
        let output = windlass(directory.path(), &["serve", "--database", url]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{told}");
        assert!(told.contains(word) && !told.contains("hidden"), "{told}");
    }
}

/// A run waits for a timer while its database is moved to a server and back. It goes on once.
#[test]
fn a_waiting_run_goes_on_where_it_was_moved() {
    let (directory, url) = (tempfile::tempdir().unwrap(), fresh_database());
    let at = directory.path();
    let definition = "name: nap\nnodes:\n  \
                      - {id: big, type: transform, config: {output: \"{{ 'x' * 100000 }}\"}}\n  \
                      - {id: nap, needs: [big], type: delay, config: {duration: 3s}}\n  \
                      - {id: b, type: shell, needs: [nap], config: {env: {F: '{{ input.f }}'}, \
                      script: 'echo done >> \"$F\"'}}\n";
    std::fs::write(at.join("nap.yaml"), definition).unwrap();
    let effects = at.join("effects");
    let input = format!("f={}", effects.display());
    let mut child = command(at, &["run", "nap.yaml", "--data", "here", "--input", &input])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut run = None;
    for line in BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap) {
        if let Some(rest) = line.strip_prefix("run ") {
            run = rest.split(',').next().map(str::to_owned);
        }
        if line.starts_with("nap: waits") {
            break;
        }
    }
    let live = windlass(at, &["db", "move", "--data", "here", "--to", &url]);
    assert_eq!(live.status.code(), Some(7));
    assert!(text(&live.stderr).contains("another windlass process"), "{}", text(&live.stderr));
    child.kill().unwrap();
    child.wait().unwrap();
    let moved = command(at, &["db", "move", "--data", "here", "--to", &url]).output().unwrap();
    assert!(moved.status.success(), "{}", text(&moved.stderr));
    assert!(!text(&moved.stderr).contains("s3cr"), "{}", text(&moved.stderr));
    // Its large values are in the data directory, and went along.
    std::fs::remove_dir_all(at.join("here/blobs")).unwrap();
    ok(at, &["db", "check", "--database", &url, "--data", "here"]);
    let elsewhere = windlass(at, &["db", "check", "--database", &url, "--data", "wrong"]);
    assert_eq!(elsewhere.status.code(), Some(3));
    assert!(text(&elsewhere.stderr).contains("is missing in"), "{}", text(&elsewhere.stderr));
    ok(at, &["db", "move", "--database", &url, "--data", "here", "--to", "there"]);
    let again =
        windlass(at, &["db", "move", "--database", &url, "--data", "here", "--to", "there"]);
    assert!(text(&again.stderr).contains("is not empty"), "{}", text(&again.stderr));
    assert!(ok(at, &["db", "check", "--data", "there"]).contains("run"));
    ok(at, &["run", "--resume", &run.unwrap(), "--data", "there"]);
    assert_eq!(std::fs::read_to_string(effects).unwrap(), "done\n", "done once");
    ok(at, &["db", "backup", "copy.db", "--data", "there"]);
    assert!(at.join("copy.db").is_file());
    ok(at, &["db", "migrate", "--data", "elsewhere"]);
    let nothing = windlass(at, &["db", "check", "--data", "nowhere"]);
    assert!(text(&nothing.stderr).contains("there is no database"), "{}", text(&nothing.stderr));
}
