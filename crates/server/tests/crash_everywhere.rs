//! `windlass test --crash-everywhere`: what it finds, and what it does not mind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Tests a definition. Answers the exit status, the report, and what was told.
fn crash(directory: &Path, definition: &str, arguments: &[&str]) -> (i32, Value, String) {
    std::fs::write(directory.join("w.yaml"), definition).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["test", "--crash-everywhere", "w.yaml", "-o", "json"])
        .args(arguments)
        .current_dir(directory)
        // Whatever database the developer uses must not be the test's.
        .env("WINDLASS_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), report, told)
}

#[test]
fn every_place_is_tried_and_a_payment_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let payments = directory.path().join("payments");
    // The payment's own book is kept by the step itself, so that the command is not its own judge.
    let definition = format!(
        "name: pay\nnodes:\n  - {{id: look, type: shell, config: {{script: echo 7}}}}\n  \
         - {{id: pay, type: shell, needs: [look], effect: never, config: {{script: \
         'echo paid >> {}; echo done'}}}}\n  \
         - {{id: nap, type: delay, needs: [pay], config: {{duration: 24h}}}}\n\
         output: '{{{{ pay.output.stdout }}}}'\n",
        payments.display()
    );
    let (code, report, told) = crash(directory.path(), &definition, &[]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(report["failed"], 0, "{told}");
    assert_eq!(report["boundaries_tested"], report["boundaries_total"]);
    let tested = report["boundaries_tested"].as_u64().unwrap();
    assert!(tested >= 8, "{report}");
    assert!(report["killed"].as_u64().unwrap() >= tested - 2, "{report}");
    assert!(report["settled"].as_u64().unwrap() >= 1, "no kill left a payment in doubt: {report}");
    // Two undisturbed runs, and at most one payment for each kill.
    let paid = std::fs::read_to_string(payments).unwrap().lines().count() as u64;
    assert!(paid <= tested + 2, "{paid} payments in {tested} runs");
}

#[test]
fn an_end_that_a_kill_changes_is_named_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let definition = "name: w\nnodes:\n  - {id: a, type: shell, config: {script: \
                      'echo \"$WINDLASS_ATTEMPT\"'}}\n";
    let (code, report, told) = crash(directory.path(), definition, &[]);
    assert_eq!(code, 1, "{told}");
    let places = report["boundaries"].as_array().unwrap();
    let difference = places.iter().find_map(|place| place["difference"].as_str()).unwrap();
    assert!(difference.starts_with("/"), "{difference}");
    assert!(told.contains(difference), "{told}");
    let pointers = ["--ignore", "/steps/a/output", "--ignore", "/output"];
    let (code, report, told) = crash(directory.path(), definition, &pointers);
    assert_eq!((code, &report["failed"]), (0, &json!(0)), "{told}");
}

#[test]
fn a_sub_run_needs_its_workflow() {
    let directory = tempfile::tempdir().unwrap();
    let parent = "name: parent\nnodes:\n  - {id: ask, type: workflow, config: {workflow: child}}\n";
    let child = "name: child\nnodes:\n  - {id: nap, type: delay, config: {duration: 1h}}\n  \
                 - {id: say, type: shell, needs: [nap], config: {script: echo said}}\n";
    std::fs::write(directory.path().join("child.yaml"), child).unwrap();
    let (code, _, told) = crash(directory.path(), parent, &["--sample", "2"]);
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("there is no workflow `child`; give its file by `--with`"), "{told}");
    let with = ["--with", "child.yaml", "--sample", "4", "--ignore", "/steps/ask/output"];
    let (code, report, told) = crash(directory.path(), parent, &with);
    assert_eq!((code, &report["failed"]), (0, &json!(0)), "{told}");
    assert_eq!(report["undisturbed"], json!({ "status": "succeeded", "error": null }));
    assert!(told.contains("parent: undisturbed it succeeded; 4 kills"), "{told}");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(["run", "w.yaml", "--quiet"]).args(arguments).current_dir(directory.path());
        command.output().unwrap()
    };
    let alone = run(&[]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("hint: give the file"));
    let quick = child.replace("1h", "1ms");
    std::fs::write(directory.path().join("child.yaml"), quick).unwrap();
    assert_eq!(run(&["--with", "child.yaml"]).status.code(), Some(0));
}

#[test]
fn a_sample_takes_as_many_places_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let definition = "name: w\ninput: {type: object, required: [n], properties: {n: {type: \
                      integer}}, examples: [{n: 2}]}\nnodes:\n  - {id: a, type: noop, config: \
                      {output: '{{ input.n + 1 }}'}}\n";
    let (code, report, told) = crash(directory.path(), definition, &["--sample", "2"]);
    assert_eq!((code, &report["boundaries_tested"]), (0, &json!(2)), "{told}");
    assert_eq!(report["boundaries"][0]["at"], "1:before");
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let by_chance = "name: w\nnodes:\n  - {id: a, type: shell, config: {script: date +%N}}\n";
    let broken = "name: w\nnodes:\n  - {id: a, type: nope}\n";
    let input = "name: w\ninput: {type: object, required: [n]}\nnodes: [{id: a, type: noop}]\n";
    let endless = "name: w\nnodes:\n  - {id: a, type: delay, config: {duration: 1h}}\n";
    let slow = ["--patience", "1s", "--wait-max", "2h"];
    for (definition, arguments, code, told) in [
        (by_chance, &[][..], 2, "two runs that nobody disturbed differ: /output"),
        (broken, &[], 3, "w.yaml:3:19: error[unknown-kind]"),
        (input, &[], 2, "the field `n` is missing"),
        (endless, &slow, 7, "is still \"waiting\" after 1s"),
    ] {
        let (found, _, text) = crash(directory.path(), definition, arguments);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(told), "{told}: {text}");
    }
}
