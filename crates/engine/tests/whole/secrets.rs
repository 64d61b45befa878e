//! A secret reaches the child it is for, and nothing that is kept or shown.

use std::sync::Arc;

use serde_json::json;
use windlass_core::run::RunStatus;

use crate::ground::Ground;
use crate::server::{Secrets, Server};

const TOKEN: &str = "s3cret-t0ken";
const PIN: &str = "8675309123";
const KEY: &str = "-----BEGIN-----\nc2VjcmV0LWtleQ\n-----END-----\n";

fn serve(ground: &Ground) -> Server {
    ground.serve_with(|config| {
        config.dispatch.secrets =
            Arc::new(Secrets(&[("token", TOKEN), ("pin", PIN), ("key", KEY)]));
    })
}

/// Whether any part of a secret that nobody may see is in `text`.
fn leak(text: &str) -> Option<&'static str> {
    [TOKEN, PIN, "c2VjcmV0LWtleQ"].into_iter().find(|secret| text.contains(secret))
}

fn shell(script: &str) -> String {
    let env = json!({
        "TOKEN": "Bearer {{ secrets.token }}",
        "PIN": "{{ secrets.pin }}",
        "KEY": "{{ secrets.key }}",
    });
    let config = json!({ "script": script, "env": env });
    json!({ "name": "Secret", "nodes": [{ "id": "a", "type": "shell", "config": config }] })
        .to_string()
}

/// Everything of a run that anybody could read.
fn shown(server: &Server, run_id: uuid::Uuid) -> String {
    let logs: Vec<String> = server.logs(run_id).into_iter().map(|log| log.text).collect();
    let published = format!("{:?}", server.heard.published.lock());
    let row = server.row(run_id);
    format!("{:?}\n{logs:?}\n{row:?}\n{published}", server.journal(run_id))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_reaches_its_child_and_is_hidden_in_what_comes_out() {
    let ground = Ground::on_disk();
    let server = serve(&ground);
    let script = format!(
        r#"printf '%s' "$TOKEN" > {}
echo "it is $TOKEN"
echo "and $PIN" >&2
printf '%s' "$KEY"
echo "{{\"$PIN\": [\"$TOKEN\", $PIN, 1]}}" > "$WINDLASS_OUTPUT""#,
        ground.file("seen").display()
    );
    let run = server.run(&shell(&script), json!(null)).await;
    assert_eq!(run.status, RunStatus::Succeeded, "{:?}", run.error);
    assert_eq!(ground.lines("seen"), [format!("Bearer {TOKEN}")], "the child has it");
    let output = run.output.clone().unwrap();
    assert_eq!(output["result"], json!({ "***": ["Bearer ***", "***", 1] }));
    let mut lines: Vec<String> = server.logs(run.run_id).into_iter().map(|log| log.text).collect();
    lines.sort();
    assert_eq!(lines, ["***", "***", "***", "and ***", "it is Bearer ***"], "line by line");
    assert_eq!(leak(&shown(&server, run.run_id)), None);
    let input = &server.journal(run.run_id)[2].event;
    let written = serde_json::to_string(input).unwrap();
    assert!(written.contains("{{secrets.token}}"), "the journal has it as written: {written}");
    server.stop().await;
    for entry in std::fs::read_dir(ground.file("data")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert_eq!(leak(&String::from_utf8_lossy(&bytes)), None, "nor is it on the disk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_hidden_in_errors_too() {
    let ground = Ground::in_memory();
    let server = serve(&ground);
    let script = "echo \"$TOKEN\"; echo \"$KEY\" >&2; exit 1";
    let run = server.run(&shell(script), json!(null)).await;
    assert_eq!(run.status, RunStatus::Failed);
    let details = run.error.unwrap().details.unwrap();
    assert_eq!(details["stdout"], "Bearer ***");
    assert_eq!(leak(&shown(&server, run.run_id)), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_fails_the_step_and_is_named() {
    let ground = Ground::in_memory();
    let server = ground.serve();
    let script = format!("echo made >> {}", ground.file("effects").display());
    let run = server.run(&shell(&script), json!(null)).await;
    let error = run.error.unwrap();
    assert_eq!(error.code, "secret_missing");
    assert!(error.message.contains('`'), "{}", error.message);
    assert_eq!(ground.lines("effects"), [""; 0], "nothing was begun");
    server.stop().await;
}
