use axum::http::Method;
use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_deployed_read_and_replaced() {
    let server = Server::new();
    let answer = server.ask(Method::POST, "/api/v1/workflows", ADD).await;
    assert_eq!(answer.status, 201);
    insta::assert_snapshot!("deployed", redacted(&answer.body));
    let id = answer.body["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/v1/workflows/{id}"));

    // The same content, laid out as JSON, is no new version.
    let same = json!({
        "name": "add",
        "nodes": [{ "config": { "output": "{{ input.n + 1 }}" }, "type": "noop", "id": "sum" }],
        "input": { "type": "object", "properties": { "n": { "type": "number" } }, "required": ["n"] }
    });
    let answer = server.post("/api/v1/workflows", same).await;
    assert_eq!((answer.status.as_u16(), &answer.body["version"]), (200, &json!(1)));

    let changed = ADD.replace("+ 1", "+ 2");
    let answer = server.ask(Method::POST, "/api/v1/workflows", changed).await;
    assert_eq!((answer.status.as_u16(), &answer.body["version"]), (201, &json!(2)));
    for word in ["add", &id] {
        let answer = server.get(&format!("/api/v1/workflows/{word}")).await;
        assert_eq!((answer.status.as_u16(), &answer.body["version"]), (200, &json!(2)));
        assert!(answer.header("etag").starts_with('"'));
    }
    let list = server.get("/api/v1/workflows").await;
    assert_eq!(list.body["items"][0]["name"], "add");
    assert_eq!(list.body["next_cursor"], json!(null));
    let versions = server.get("/api/v1/workflows/add/versions?limit=1").await;
    assert_eq!(versions.body["items"][0]["version"], 2);
    let link = versions.header("link").to_owned();
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    let versions = server.get(next).await;
    assert_eq!(versions.body["items"][0]["version"], 1);
    assert_eq!(versions.body["next_cursor"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_be_bound_to_a_version() {
    let server = Server::new();
    let put = async |text: String, name: &str, value: &str| {
        let request = request(Method::PUT, "/api/v1/workflows/add").header(name, value);
        server.send(request.body(text.into()).unwrap()).await
    };
    let answer = put(ADD.into(), "if-match", "*").await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (412, "version-mismatch"));
    let first = put(ADD.into(), "if-none-match", "*").await;
    assert_eq!(first.status, 201, "{}", first.body);
    let etag = first.header("etag").to_owned();
    assert_eq!(put(ADD.into(), "if-none-match", "*").await.problem(), "version-mismatch");
    assert_eq!(put(ADD.replace("+ 1", "+ 2"), "if-match", &etag).await.status, 201);
    assert_eq!(
        put(ADD.replace("+ 1", "+ 3"), "if-match", &etag).await.problem(),
        "version-mismatch"
    );
    let newest = server.get("/api/v1/workflows/add").await.header("etag").to_owned();
    let request = request(Method::GET, "/api/v1/workflows/add").header("if-none-match", &newest);
    assert_eq!(server.send(request.body("".into()).unwrap()).await.status, 304);

    let other = server.ask(Method::PUT, "/api/v1/workflows/add", WAIT).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "name-mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_workflow_leaves_its_runs() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let delete = || server.ask(Method::DELETE, "/api/v1/workflows/add", "");
    assert_eq!(delete().await.status, 204);
    assert_eq!(delete().await.problem(), "workflow-not-found");
    assert_eq!(server.get("/api/v1/workflows/add").await.problem(), "workflow-not-found");
    let execute = server.post("/api/v1/workflows/add/execute", json!({})).await;
    assert_eq!(execute.problem(), "workflow-not-found");
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.body["output"], 2);
    // Its version still runs again.
    let again = server.post(&format!("{path}/rerun"), json!({})).await;
    assert_eq!((again.status.as_u16(), &again.body["rerun_of"]), (202, &run["id"]));
    assert_eq!(server.deploy(ADD).await["version"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_everything_at_once_and_deploys_nothing() {
    let server = Server::new();
    let text = "name: x\nnodes:\n  - {id: a, type: tranform}\n  - {id: a, type: noop}\n\
                edges:\n  - {source: a, target: nowhere}\n";
    let answer = server.ask(Method::POST, "/api/v1/workflows/check", text).await;
    assert_eq!(answer.status, 200);
    insta::assert_snapshot!("checked", redacted(&answer.body));
    let fine = server.ask(Method::POST, "/api/v1/workflows/check", ADD).await;
    assert_eq!(fine.body, json!({ "ok": true, "findings": [] }));
    assert_eq!(server.get("/api/v1/workflows").await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_node_are_described() {
    let server = Server::new();
    let list = server.get("/api/v1/nodes").await;
    let kinds: Vec<&str> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["kind"].as_str().unwrap())
        .collect();
    let known = [
        "actor",
        "agent",
        "approval",
        "code",
        "conditional",
        "delay",
        "end",
        "fail",
        "http",
        "llm",
        "loop",
        "map",
        "noop",
        "shell",
        "start",
        "switch",
        "transform",
        "try",
        "wait_event",
        "wait_signal",
        "worker",
        "workflow",
    ];
    assert_eq!(kinds, known);
    for kind in kinds {
        let answer = server.get(&format!("/api/v1/nodes/{kind}")).await;
        assert_eq!(answer.body["config_schema"]["type"], "object", "{kind}");
        assert!(answer.body["example"].as_str().unwrap().contains("nodes:"), "{kind}");
    }
    let missing = server.get("/api/v1/nodes/htpp").await;
    assert_eq!((missing.status.as_u16(), missing.problem().as_str()), (404, "kind-not-found"));
    assert!(missing.body["detail"].as_str().unwrap().contains("did you mean `http`?"));
}
