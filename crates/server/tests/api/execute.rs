use axum::http::Method;
use serde_json::json;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_accepted_and_then_found() {
    let server = Server::new();
    server.deploy(ADD).await;
    let body = json!({ "input": { "n": 41 }, "labels": { "team": "a" }, "external_id": "order-7" });
    let answer = server.post("/api/v1/workflows/add/execute", body.clone()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let id = answer.body["id"].as_str().unwrap();
    assert_eq!(answer.header("location"), format!("/api/v1/runs/{id}"));
    let again = server.post("/api/v1/workflows/add/execute", body).await;
    assert_eq!((again.status.as_u16(), again.problem().as_str()), (409, "external-id-taken"));
    // By the id its source gave it, too.
    let found = server.get("/api/v1/runs/order-7").await;
    assert_eq!((found.status.as_u16(), &found.body["id"]), (200, &answer.body["id"]));
    assert_eq!(server.get("/api/v1/runs/order-8").await.problem(), "run-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_the_finished_run() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 41 })).await;
    insta::assert_snapshot!("finished_run", redacted(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_past_a_timer_gets_the_finished_run_too() {
    let server = Server::new();
    // Longer than a run stays in memory to wait.
    server
        .deploy("name: nap\nnodes:\n  - {id: nap, type: delay, config: {duration: 2500ms}}\n")
        .await;
    assert_eq!(server.run("nap", json!({})).await["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_short_gets_the_run_as_it_is() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let execute = async |prefer: &str| {
        let request = request(Method::POST, "/api/v1/workflows/wait/execute");
        server.send(request.header("prefer", prefer).body("".into()).unwrap()).await
    };
    let answer = execute("wait=0").await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let answer = execute("respond-async, wait=1").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (202, &json!("waiting")));
    assert_eq!(answer.header("preference-applied"), "wait=1");
    assert_eq!(answer.body["reason"], "timer");
    assert_eq!(execute("wait=soon").await.problem(), "bad-parameter");
}
