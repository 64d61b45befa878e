//! Holding runs up, asking why they wait, and going on from where they failed.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

const WAIT: &str = "
name: wait
concurrency: { limit: 1 }
nodes: [{ id: nap, type: delay, config: { duration: 1h } }]
";

async fn begin(server: &Server, workflow: &str) -> String {
    let path = format!("/api/v1/workflows/{workflow}/execute");
    let run = server.post(&path, json!({})).await;
    assert_eq!(run.status, 202, "{}", run.body);
    format!("/api/v1/runs/{}", run.body["id"].as_str().unwrap())
}

/// Asks again until something holds: a run goes on in its own time.
async fn until(server: &Server, path: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let answer = server.get(path).await.body;
            if holds(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(60), asked).await;
    waited.unwrap_or_else(|_| panic!("in vain waited for {path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_what_it_waits_for() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let first = begin(&server, "wait").await;
    let second = begin(&server, "wait").await;
    until(&server, &first, |run| run["status"] == "waiting").await;
    let why = server.get(&format!("{first}/why")).await.body;
    assert_eq!((&why["status"], &why["because"]), (&json!("waiting"), &json!([])));
    assert_eq!(
        (&why["steps"][0]["path"], &why["steps"][0]["because"]),
        (&json!("nap"), &json!("timer"))
    );
    assert!(why["steps"][0]["message"].as_str().unwrap().starts_with("waits until 20"));
    let why = server.get(&format!("{second}/why")).await.body;
    let cause = &why["because"][0];
    assert_eq!(
        (&cause["because"], &cause["details"]["position"]),
        (&json!("concurrency"), &json!(1))
    );
    let holder = cause["details"]["holders"][0].as_str().unwrap();
    assert!(first.ends_with(holder), "{cause}");
    let nothing = server.get(&format!("{first}/why?step=nobody")).await.body;
    assert_eq!(nothing["steps"], json!([]));
    assert_eq!(server.get("/api/v1/runs/nobody/why").await.problem(), "run-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_paused_and_resumed_by_somebody() {
    let server = Server::new();
    server.deploy(WAIT).await;
    let run = begin(&server, "wait").await;
    let paused = server.post(&format!("{run}/pause"), json!({ "reason": "lunch" })).await;
    assert_eq!((paused.status.as_u16(), &paused.body["status"]), (202, &json!("paused")));
    let again = server.post(&format!("{run}/pause"), json!({})).await;
    assert_eq!(again.problem(), "wrong-state");
    let cause = server.get(&format!("{run}/why")).await.body["because"][0].clone();
    assert_eq!(cause["message"], "local has paused the run: lunch");
    let resumed = server.post(&format!("{run}/resume"), json!({})).await;
    assert_eq!(resumed.status, 202, "{}", resumed.body);
    assert_eq!(server.post(&format!("{run}/resume"), json!({})).await.problem(), "wrong-state");
    let events = server.get(&format!("{run}/events")).await.body;
    let paused = events["items"].as_array().unwrap().iter().find(|one| one["type"] == "run_paused");
    assert_eq!(paused.unwrap()["by"], "local", "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_paused_workflow_wait_for_its_end() {
    let server = Server::new();
    server.deploy("{ name: now, nodes: [{ id: a, type: noop }] }").await;
    let paused = server.post("/api/v1/workflows/now/pause", json!({ "reason": "repairs" })).await;
    assert_eq!(paused.body["paused"]["by"], "local", "{}", paused.body);
    let run = begin(&server, "now").await;
    let why = server.get(&format!("{run}/why")).await.body;
    assert_eq!(
        (&why["status"], &why["because"][0]["because"]),
        (&json!("queued"), &json!("workflow_paused"))
    );
    let resumed = server.post("/api/v1/workflows/now/resume", json!({})).await;
    assert_eq!((resumed.status.as_u16(), &resumed.body["paused"]), (200, &Value::Null));
    until(&server, &run, |run| run["status"] == "succeeded").await;
    let nobody = server.post("/api/v1/workflows/nobody/pause", json!({})).await;
    assert_eq!(nobody.problem(), "workflow-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switch_stops_everything() {
    let server = Server::new();
    server.deploy("{ name: now, nodes: [{ id: a, type: noop }] }").await;
    let body = json!({ "reason": "fire" }).to_string();
    let halted = server.ask(Method::PUT, "/api/v1/halt", body).await;
    assert_eq!((&halted.body["halted"], &halted.body["by"]), (&json!(true), &json!("local")));
    let run = begin(&server, "now").await;
    let why = server.get(&format!("{run}/why")).await.body;
    assert_eq!(why["because"][0]["message"], "local has stopped everything: fire");
    assert_eq!(server.get("/api/v1/halt").await.body["reason"], "fire");
    let released = server.ask(Method::DELETE, "/api/v1/halt", "").await;
    assert_eq!(released.body["halted"], false);
    until(&server, &run, |run| run["status"] == "succeeded").await;
}

const HALF: &str = "
name: half
nodes:
  - { id: first, type: noop, config: { output: 1 } }
  - { id: second, type: transform, needs: [first], config: { output: \"{{ 1 / input.by }}\" } }
output: \"{{ second.output }}\"
";

async fn failed(server: &Server) -> Value {
    let run = server.run("half", json!({ "by": 0 })).await;
    assert_eq!(run["status"], "failed", "{run}");
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_goes_on_from_where_it_failed() {
    let server = Server::new();
    server.deploy(HALF).await;
    let run = failed(&server).await;
    let path = format!("/api/v1/runs/{}/rerun", run["id"].as_str().unwrap());
    let rerun = async |body: Value| {
        let request = request(Method::POST, &path).header("prefer", "wait=10");
        server.send(request.body(body.to_string().into()).unwrap()).await
    };
    let again = rerun(json!({ "from": "second", "input": { "by": 2 } })).await.body;
    assert_eq!((&again["status"], &again["output"]), (&json!("succeeded"), &json!(0.5)), "{again}");
    let steps = format!("/api/v1/runs/{}/steps", again["id"].as_str().unwrap());
    let steps = server.get(&steps).await.body;
    assert_eq!(steps["items"][0]["reason"], "reused", "{steps}");
    let missing = rerun(json!({ "from": "third" })).await;
    assert_eq!((missing.status.as_u16(), missing.problem().as_str()), (404, "step-not-found"));
    let mixed = rerun(json!({ "from": "second", "newest": true })).await;
    assert_eq!(mixed.problem(), "invalid-request");
    server.deploy(WAIT).await;
    let open = begin(&server, "wait").await;
    let early = server.post(&format!("{open}/rerun"), json!({ "from": "failed" })).await;
    assert_eq!(early.problem(), "wrong-state");
}

const AGAIN: &str = "
name: again
nodes:
  - { id: draft, type: transform, config: { output: \"{{ default(review.output, 0) + 1 }}\" } }
  - { id: review, type: transform, needs: [draft], config: { output: \"{{ draft.output }}\" } }
  - id: each
    type: map
    needs: [review]
    config: { items: [1], body: { nodes: [{ id: w, type: noop }] } }
edges: [{ source: review, target: draft, when: review.output < 2, max_visits: 3 }]
output: \"{{ review.output }}\"
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_only_at_a_step_that_is_there() {
    let server = Server::new();
    server.deploy(AGAIN).await;
    let run = server.run("again", json!({})).await;
    assert_eq!((&run["status"], &run["output"]), (&json!("succeeded"), &json!(2)), "{run}");
    let path = format!("/api/v1/runs/{}/rerun", run["id"].as_str().unwrap());
    let rerun = async |from: &str| {
        let request = request(Method::POST, &path).header("prefer", "wait=10");
        let body = json!({ "from": from }).to_string();
        server.send(request.body(body.into()).unwrap()).await
    };
    for odd in ["draft#9", "draft#1", "draft[3]", "each[77].w", "each[0]", "each[0].x", ""] {
        let refused = rerun(odd).await;
        assert_eq!(refused.problem(), "step-not-found", "{odd}");
        assert!(refused.body["detail"].as_str().unwrap().contains(&format!("`{odd}`")));
    }
    let runs = server.get("/api/v1/runs").await.body;
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "nothing was started");
    // Visits are counted anew, from what there was at the end.
    let again = rerun("review#2").await.body;
    assert_eq!((&again["status"], &again["output"]), (&json!("succeeded"), &json!(2)), "{again}");
    let steps = format!("/api/v1/runs/{}/steps", again["id"].as_str().unwrap());
    let steps = server.get(&steps).await.body;
    let paths: Vec<(&str, bool)> = steps["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["path"].as_str().unwrap(), step["reason"] == "reused"))
        .collect();
    assert_eq!(paths, [("draft", true), ("review", false), ("each", false), ("each[0].w", false)]);
    assert_eq!(rerun("each[0].w").await.body["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_runs_of_a_workflow_are_resumed_once() {
    let server = Server::new();
    server.deploy(HALF).await;
    let (one, two) = (failed(&server).await, failed(&server).await);
    server.run("half", json!({ "by": 1 })).await;
    let path = "/api/v1/workflows/half/rerun-failed";
    let resumed = server.post(path, json!({ "limit": 1 })).await.body;
    assert_eq!(resumed["items"][0]["run_id"], two["id"], "{resumed}");
    assert_eq!(resumed["has_more"], true);
    let heir = resumed["items"][0]["resumed_as"].as_str().unwrap();
    let heir =
        until(&server, &format!("/api/v1/runs/{heir}"), |run| run["status"] == "failed").await;
    let resumed = server.post(path, json!({})).await.body;
    let ids: Vec<&Value> =
        resumed["items"].as_array().unwrap().iter().map(|item| &item["run_id"]).collect();
    assert_eq!(ids, [&heir["id"], &one["id"]], "one that was resumed is not resumed again");
    assert_eq!(resumed["has_more"], false);
    assert_eq!(server.post(path, json!({ "limit": 0 })).await.problem(), "invalid-request");
}
