use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

async fn test(server: &Server, kind: &str, request: Value) -> Answer {
    server.post(&format!("/api/v1/nodes/{kind}/test"), request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_tried_out_without_a_run() {
    let server = Server::new();
    let config = json!({
        "script": "echo \"$WHO\"; echo {\\\"n\\\": 3} > \"$WINDLASS_OUTPUT\"",
        "env": { "WHO": "{{ input.who }} and {{ other.output.name }}" },
    });
    let sample = json!({
        "config": config, "input": { "who": "Ada" }, "outputs": { "other": { "name": "Bob" } },
    });
    let tried = test(&server, "shell", sample).await;
    assert_eq!((tried.status.as_u16(), &tried.body["status"]), (200, &json!("succeeded")));
    assert_eq!(tried.body["config"]["env"]["WHO"], "Ada and Bob");
    assert_eq!(tried.body["logs"], json!([{ "stream": "stdout", "text": "Ada and Bob" }]));
    assert!(tried.body["output"].to_string().contains('3'), "{}", tried.body);

    let failed = test(&server, "shell", json!({ "config": { "script": "exit 3" } })).await.body;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("exit_code"))
    );
    let computed = json!({ "config": { "output": "{{ input.n + 1 }}" }, "input": { "n": 1 } });
    assert_eq!(test(&server, "transform", computed).await.body["output"], 2);
    let missing = json!({ "config": { "output": "{{ input.nope }}" } });
    assert_eq!(test(&server, "noop", missing).await.body["error"]["code"], "expression");
    assert_eq!(server.get("/api/v1/runs").await.body["items"], json!([]), "no run was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_tried_out_is_told() {
    let server = Server::new();
    for (kind, request, code) in [
        ("nope", json!({}), "kind-not-found"),
        ("shell", json!({}), "invalid-definition"),
        ("shell", json!({ "config": { "scrip": "x" } }), "invalid-definition"),
        ("shell", json!({ "config": { "script": "x" }, "with": 1 }), "invalid-request"),
        ("delay", json!({ "config": { "duration": "1h" } }), "invalid-request"),
        ("noop", json!({ "outputs": { "tested": 1 } }), "bad-parameter"),
        ("noop", json!({ "outputs": { "a": "{{ 1 }}" } }), "bad-parameter"),
    ] {
        let answer = test(&server, kind, request.clone()).await;
        assert_eq!(answer.problem(), code, "{kind} {request}: {}", answer.body);
    }
    let secret = json!({ "config": { "url": "http://127.0.0.1/{{ secrets.none }}" } });
    let answer = test(&server, "http", secret).await;
    assert_eq!(answer.body["error"]["code"], "secret_missing", "{}", answer.body);
    let path = "/api/v1/nodes/shell/test";
    assert_eq!(server.ask(Method::POST, path, "[").await.problem(), "bad-json");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_tried_out_with_secrets_that_nobody_sees() {
    const CANARY: &str = "cAnArY/+ä\"q7x";
    let server = Server::closed();
    let key = async |project: &str| {
        let made = json!({ "name": project, "role": "admin", "project": project });
        server.key(made).await["key"].as_str().unwrap().to_owned()
    };
    let (own, other) = (key("one").await, key("two").await);
    let value = json!({ "value": CANARY }).to_string();
    let set = server.ask_as(&own, Method::PUT, "/api/v1/secrets/token", value).await;
    assert_eq!(set.status, 200, "{}", set.body);
    let try_out = async |key: &str, script: &str| {
        let config = json!({ "script": script, "env": { "T": "{{ secrets.token }}" } });
        let body = json!({ "config": config }).to_string();
        server.ask_as(key, Method::POST, "/api/v1/nodes/shell/test", body).await.body
    };
    // Its length in bytes tells that the step has got it, and nothing else does.
    let counted = try_out(&own, "printf %s \"$T\" | wc -c").await;
    assert_eq!(counted["output"]["stdout"], CANARY.len().to_string(), "{counted}");
    assert_eq!(counted["config"]["env"]["T"], "{{secrets.token}}", "as it is journaled");
    for script in [
        "echo \"$T\"; echo \"$T\" >&2",
        "printf '{\"%s\": 1}' plain > $WINDLASS_OUTPUT; printf %s \"$T\" | base64 -w0",
        "printf 'x%s' \"$T\" | base64 -w0; exit 3",
        "echo \"$T\" >&2; exit 1",
    ] {
        let told = try_out(&own, script).await.to_string();
        assert!(told.contains("***"), "{script}: {told}");
        for form in ["cAnArY", "Y0FuQXJZ", "NBbkFyW", "jQW5Bcl"] {
            assert!(!told.contains(form), "{script}: {told}");
        }
    }
    let missing = try_out(&other, "echo no").await;
    assert_eq!(missing["error"]["code"], "secret_missing", "of another project: {missing}");
    let files = std::fs::read(server.house.app.config.store.data.join("windlass.db")).unwrap();
    assert!(!files.windows(6).any(|window| window == b"cAnArY"));
}
