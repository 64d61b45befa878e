use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

async fn with_key(server: &Server, path: &str, key: &str, body: Value) -> Answer {
    let request = request(Method::POST, path).header("idempotency-key", key);
    server.send(request.body(body.to_string().into()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_run() {
    let server = Server::new();
    server.deploy(ADD).await;
    let path = "/api/v1/workflows/add/execute";
    let first = with_key(&server, path, "k1", json!({ "input": { "n": 1 } })).await;
    let again = with_key(&server, path, "k1", json!({ "input": { "n": 1 } })).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (202, 202));
    assert_eq!(first.body["id"], again.body["id"]);
    let other = with_key(&server, path, "k1", json!({ "input": { "n": 2 } })).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key-reused"));
    // By name or by id, it is the same route.
    let id = server.get("/api/v1/workflows/add").await.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/workflows/{id}/execute");
    let by_id = with_key(&server, &path, "k1", json!({ "input": { "n": 1 } })).await;
    assert_eq!(by_id.body["id"], first.body["id"]);
    let too_long = with_key(&server, &path, &"k".repeat(257), json!({})).await;
    assert_eq!(too_long.problem(), "bad-parameter");
    let runs = server.get("/api/v1/runs").await;
    assert_eq!(runs.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_a_key_make_one_run() {
    let server = std::sync::Arc::new(Server::new());
    server.deploy(ADD).await;
    let requests = (0..20).map(|_| {
        let server = server.clone();
        tokio::spawn(async move {
            let path = "/api/v1/workflows/add/execute";
            with_key(&server, path, "same", json!({ "input": { "n": 1 } })).await
        })
    });
    let requests: Vec<_> = requests.collect();
    let mut ids = std::collections::BTreeSet::new();
    for request in requests {
        let answer = request.await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
        ids.insert(answer.body["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rerun_has_keys_of_its_own() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let path = format!("/api/v1/runs/{}/rerun", run["id"].as_str().unwrap());
    let first = with_key(&server, &path, "k", json!({})).await;
    let again = with_key(&server, &path, "k", json!({})).await;
    assert_eq!(first.body["id"], again.body["id"]);
    let other = with_key(&server, &path, "k", json!({ "input": { "n": 5 } })).await;
    assert_eq!(other.problem(), "key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_with_a_key_gets_the_same_run_and_the_same_refusals() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let ask = async |key: &str, body: Value| {
        let request = request(Method::POST, "/api/v1/workflows/wait/execute")
            .header("idempotency-key", key)
            .header("prefer", "wait=0");
        server.send(request.body(body.to_string().into()).unwrap()).await
    };
    let named = json!({ "external_id": "one" });
    let first = ask("k", named.clone()).await;
    assert_eq!(first.status, 202, "{}", first.body);
    let again = ask("k", named.clone()).await;
    assert_eq!((again.status.as_u16(), &again.body["id"]), (202, &first.body["id"]));
    let other = ask("k", json!({ "external_id": "two" })).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key-reused"));
    let taken = ask("another", named).await;
    assert_eq!((taken.status.as_u16(), taken.problem().as_str()), (409, "external-id-taken"));
}
