use serde_json::json;

use crate::harness::*;

const PATH: &str = "/api/v1/workflows/add/execute-batch";

#[tokio::test(flavor = "multi_thread")]
async fn every_run_of_a_batch_has_a_result() {
    let server = Server::new();
    server.deploy(ADD).await;
    let body = json!({ "runs": [
        { "input": { "n": 1 }, "idempotency_key": "a", "labels": { "l": "1" } },
        { "input": { "n": "many" } },
        { "input": { "n": 2 }, "idempotency_key": "b" },
        { "input": { "n": 1 }, "idempotency_key": "a", "labels": { "l": "1" } },
        { "input": { "n": 9 }, "idempotency_key": "a" },
    ] });
    let answer = server.post(PATH, body).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let results = &answer.body["results"];
    assert_eq!(results[0]["run"]["labels"], json!({ "l": "1" }));
    assert_eq!(results[1]["problem"]["code"], "invalid-input");
    assert_eq!(results[1]["problem"]["errors"][0]["path"], "/n");
    assert_eq!(results[2]["run"]["input"], json!({ "n": 2 }));
    assert_eq!(results[3]["run"]["id"], results[0]["run"]["id"]);
    assert_eq!(results[4]["problem"]["code"], "key-reused");
    // One of a batch, repeated by itself.
    let run = server.post(
        "/api/v1/workflows/add/execute-batch",
        json!({ "runs": [{ "input": { "n": 2 }, "idempotency_key": "b" }] }),
    );
    assert_eq!(run.await.body["results"][0]["run"]["id"], results[2]["run"]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_taken_and_no_more() {
    let server = Server::new();
    server.deploy(ADD).await;
    let batch = |count: usize| json!({ "runs": vec![json!({ "input": { "n": 1 } }); count] });
    let answer = server.post(PATH, batch(1_000)).await;
    assert_eq!(answer.body["results"].as_array().unwrap().len(), 1_000);
    for count in [0, 1_001] {
        let answer = server.post(PATH, batch(count)).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "invalid-request"));
    }
}
