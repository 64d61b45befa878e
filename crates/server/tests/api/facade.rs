//! The windows of other systems, over sockets where they are sockets.

use axum::http::Method;
use serde_json::{Value, json};
use windlass_core::HumanDuration;

use crate::harness::*;
use crate::socket::Socket;

const TWO: &str = "name: two\nnodes:\n  - {id: say, type: shell, config: {script: echo hello}}\n  - \
    {id: no, type: fail, needs: [say], config: {message: no way}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_jobs_in_the_words_of_the_workflow_service() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.deploy(WAIT).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    let id = run["id"].as_str().unwrap();
    let job = server.get(&format!("/api/v1/jobs/{id}")).await.body;
    assert_eq!(job["status"], "completed");
    assert_eq!(job["result"], json!({ "output": run["output"] }));
    assert_eq!(job["nodes"]["sum"]["status"], "completed");
    assert_eq!(job["nodes"]["sum"]["output"], 2);
    let waiting = server.post("/api/v1/workflows/wait/execute", json!({})).await.body;
    let waiting = waiting["id"].as_str().unwrap();
    let list = server.get("/api/v1/jobs?status=running").await.body;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], waiting);
    let headers = server.get("/api/v1/jobs").await;
    assert_eq!(headers.header("deprecation"), "@1795219200");
    assert_eq!(headers.header("link"), "</api/v1/runs>; rel=\"successor-version\"");
    let document = server.get("/openapi.json").await.body;
    assert_eq!(document["paths"]["/api/v1/jobs"]["get"]["deprecated"], true);
    assert!(document["paths"]["/api/v1/runs"]["get"]["deprecated"].is_null());
    let of_one = server.get("/api/v1/jobs?workflow_id=add&limit=1").await.body;
    assert_eq!(of_one["items"][0]["workflow_name"], "add");
    let path = format!("/api/v1/jobs/{waiting}/cancel");
    let cancelled = server.post(&path, json!({})).await;
    assert_eq!((cancelled.status.as_u16(), &cancelled.body["status"]), (202, &json!("cancelled")));
    assert_eq!(server.post(&path, json!({})).await.problem(), "wrong-state");
    assert_eq!(server.get("/api/v1/jobs?status=finished").await.problem(), "bad-parameter");
    for path in ["/api/v1/jobs/nobody", "/api/v1/jobs/nobody/logs"] {
        assert_eq!(server.get(path).await.problem(), "run-not-found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_its_lines_and_its_error() {
    let server = Server::new();
    server.deploy(TWO).await;
    let path = "/api/v1/workflows/two/execute";
    let request = request(Method::POST, path).header("prefer", "wait=20").body("".into());
    let run = server.send(request.unwrap()).await.body;
    let path = format!("/api/v1/jobs/{}", run["id"].as_str().unwrap());
    let job = server.get(&path).await.body;
    assert_eq!(job["status"], "failed");
    assert!(job["error"].as_str().unwrap().contains("no way"), "{job}");
    assert_eq!(job["nodes"]["no"]["error"], "no way");
    let lines = server.get(&format!("{path}/logs")).await.body;
    assert_eq!(lines["items"][0]["message"], "hello");
    assert_eq!(lines["items"][0]["node_id"], "say");
}

/// What a stream has told, without what differs each time.
fn told(messages: impl Iterator<Item = Value>) -> String {
    let lines = messages.map(|message| {
        let data = &message["data"];
        let word = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {} {}", word("event"), word("status"), word("node"), word("message"))
    });
    let mut lines: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    // A line may be told before or after the events around it.
    lines.sort();
    lines.join("\n")
}

const STORY: &str = "flow_completed FAILED\nflow_started RUNNING\ntask_err  no\ntask_log  say \
    hello\ntask_ok  say\ntask_started  say";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_in_the_words_of_the_flow_observer() {
    let server = Server::new();
    server.deploy(TWO).await;
    let path = "/api/v1/workflows/two/execute";
    let request = request(Method::POST, path).header("prefer", "wait=20").body("".into());
    let run = server.send(request.unwrap()).await.body;
    let run = run["id"].as_str().unwrap();
    let stream = server.get(&format!("/sse/runs/{run}")).await;
    let text = stream.body.as_str().unwrap();
    let messages = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let messages = messages.map(|data| serde_json::from_str::<Value>(data).unwrap());
    assert_eq!(told(messages), STORY, "{text}");
    let (begun, hello) = (text.find("task_started").unwrap(), text.find("hello").unwrap());
    assert!(begun < hello, "what a step says stands behind its beginning: {text}");
    let rest = server.get(&format!("/sse/runs/{run}?after=1")).await;
    assert!(!rest.body.as_str().unwrap().contains("flow_started"));
    assert_eq!(server.get(&format!("/sse/runs/{run}?after=1000")).await.status, 204);

    let mut socket = Socket::open(&server, &format!("/ws/runs/{run}"), &[]).await.unwrap();
    let mut messages = Vec::new();
    while let Some(text) = socket.next().await {
        messages.push(serde_json::from_str(&text).unwrap());
    }
    assert_eq!(told(messages.into_iter()), STORY);
}

/// How the end of a run is told that nobody has told: by its tasks, or by its silence.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_not_said_is_told() {
    let server = Server::with(|config| {
        config.observe.stalled_after = HumanDuration::from_secs(1);
        config.observe.given_up_after = HumanDuration::from_secs(1);
    });
    let about = |event: &str, run: &str| -> Value {
        json!({ "event": event, "run_id": run, "flow": "f", "node": "a:1" })
    };
    let events = json!([
        about("flow_started", "tasks"),
        about("task_skipped", "tasks"),
        { "event": "task_log", "run_id": "tasks", "node": "a:1", "message": "first" },
        { "event": "task_err", "run_id": "tasks", "node": "b:1", "error": "boom" },
        about("flow_completed", "tasks"),
        about("flow_started", "silent"),
    ]);
    server.post("/api/v1/events", events).await;
    for (run, inferred) in [("tasks", false), ("silent", true)] {
        let stream = server.get(&format!("/sse/runs/{run}")).await;
        let frames = stream.body.as_str().unwrap();
        let frames = frames.lines().filter_map(|line| line.strip_prefix("data: "));
        let said: Vec<Value> = frames.map(|data| serde_json::from_str(data).unwrap()).collect();
        let ends: Vec<&Value> =
            said.iter().filter(|it| it["data"]["event"] == "flow_completed").collect();
        assert_eq!(ends.len(), 1, "{said:?}");
        assert_eq!(ends[0], said.last().unwrap());
        assert_eq!(ends[0]["data"]["status"], "FAILED");
        assert!(said.iter().all(|it| it["data"]["run_id"] == run), "as its reader calls it");
        assert_eq!(ends[0]["data"]["inferred"], inferred, "{said:?}");
        assert_eq!(said.iter().any(|it| it["data"]["event"] == "task_skipped"), !inferred);

        let stream = server.get(&format!("/api/workflows/runs/{run}/stream")).await;
        let frames = stream.body.as_str().unwrap();
        assert_eq!(frames.matches("run_completed").count(), 1, "{frames}");
        assert!(frames.contains("\"success\":false"), "{frames}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_runs_of_a_workflow_are_told_from_the_connection_on() {
    let server = Server::new();
    server.deploy(ADD).await;
    server.run("add", json!({ "n": 0 })).await;
    let mut socket = Socket::open(&server, "/ws/workflow/add", &[]).await.unwrap();
    let run = server.run("add", json!({ "n": 1 })).await;
    let mut types = Vec::new();
    while types.last().is_none_or(|last| last != "workflow_completed") {
        let message: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
        assert_eq!(message["job_id"], run["id"], "what was before is not told");
        types.push(message["event_type"].as_str().unwrap().to_owned());
    }
    assert_eq!(types[0], "workflow_started");
    assert!(types.contains(&"node_completed".to_owned()), "{types:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_for_who_may_and_for_pages_of_ours() {
    let server = Server::closed();
    server.ask_as(ADMIN, Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask_as(ADMIN, Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let path = format!("/ws/runs/{}", run["id"].as_str().unwrap());
    let shown = |key: &str| ("authorization", format!("Bearer {key}"));
    assert_eq!(Socket::open(&server, &path, &[]).await.err(), Some(401));
    assert_eq!(Socket::open(&server, "/ws/workflow/wait", &[]).await.err(), Some(401));
    for origin in ["https://evil.example", "null", "http://localhost.evil"] {
        let headers = [shown(ADMIN), ("origin", origin.to_owned())];
        assert_eq!(Socket::open(&server, &path, &headers).await.err(), Some(403), "{origin}");
    }
    let made = server.key(json!({ "name": "v", "role": "viewer" })).await;
    let other = server.key(json!({ "name": "o", "role": "viewer", "project": "other" })).await;
    let with = |key: &Value| [shown(key["key"].as_str().unwrap())];
    assert_eq!(Socket::open(&server, &path, &with(&other)).await.err(), Some(404));
    let mut socket = Socket::open(&server, &path, &with(&made)).await.unwrap();
    assert!(socket.next().await.unwrap().contains("flow_started"));
    let path = format!("/api/v1/keys/{}", made["id"].as_str().unwrap());
    server.ask_as(ADMIN, Method::DELETE, &path, "").await;
    while socket.next().await.is_some() {}
    assert_eq!(socket.closed_with, Some(1008), "a key that is taken back closes the socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_gone_is_not_told_of_a_silent_run() {
    let server = Server::new();
    server.ask(Method::POST, "/api/v1/workflows", WAIT).await;
    let run = server.ask(Method::POST, "/api/v1/workflows/wait/execute", "").await.body;
    let path = format!("/ws/runs/{}", run["id"].as_str().unwrap());
    let mut socket = Socket::open(&server, &path, &[]).await.unwrap();
    assert!(socket.next().await.unwrap().contains("flow_started"));
    let listening = || async { server.get("/metrics").await.body.as_str().unwrap().to_owned() };
    assert!(listening().await.contains("windlass_run_watchers 1"));
    drop(socket);
    while !listening().await.contains("windlass_run_watchers 0") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_not_read_like_a_page() {
    let server = Server::new();
    server.deploy(ADD).await;
    let run = server.run("add", json!({ "n": 1 })).await;
    for path in ["/ws/workflow/add".to_owned(), format!("/ws/runs/{}", run["id"].as_str().unwrap())]
    {
        let answer = server.get(&path).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (400, "bad-parameter"));
    }
    assert_eq!(server.get("/ws/runs/nobody").await.problem(), "run-not-found");
    assert_eq!(server.get("/sse/runs/nobody").await.problem(), "run-not-found");
    assert_eq!(server.get("/ws/workflow/nobody").await.problem(), "workflow-not-found");
}
