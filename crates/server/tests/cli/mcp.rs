//! `windlass mcp`, as a pipe sees it. What agents do with it is in `tests/mcp`.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{command, ok, text, windlass};

#[test]
fn each_line_is_a_message_and_nothing_else_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    ok(at, &["db", "migrate", "--data", "d"]);
    let mut bridge = command(at, &["mcp", "--data", "d"]);
    bridge.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bridge = bridge.spawn().unwrap();
    let mut input = bridge.stdin.take().unwrap();
    let said = [
        "{\"jsonrpc\": \"2.0\", \"id\": \"a\", \"method\": \"ping\"}",
        "{\"jsonrpc\": \"2.0\", \"method\": \"notifications/initialized\"}",
        "",
        "what?",
        "{\"jsonrpc\": \"2.0\", \"id\": 2, \"method\": \"no/such\"}",
    ];
    writeln!(input, "{}", said.join("\n")).unwrap();
    drop(input);
    let output = bridge.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let mut answers: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // They come in the order in which they are ready.
    answers.sort_by_key(|answer| answer["id"].to_string());
    let codes: Vec<_> =
        answers.iter().map(|answer| (&answer["id"], &answer["error"]["code"])).collect();
    assert_eq!(
        codes,
        [
            (&json!("a"), &Value::Null),
            (&json!(2), &json!(-32_601)),
            (&Value::Null, &json!(-32_700)),
        ]
    );
    assert_eq!(answers[0]["result"], json!({}));
}

#[test]
fn it_needs_somebody_to_ask() {
    let directory = tempfile::tempdir().unwrap();
    let alone = windlass(directory.path(), &["mcp", "--data", "none"]);
    assert_eq!(alone.status.code(), Some(7));
    assert!(text(&alone.stderr).starts_with("error: there is no server and no data in `none`"));
    assert_eq!(text(&alone.stdout), "");
}
