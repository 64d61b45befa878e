//! How workflows have fared, and where two runs parted.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

const EVENTS: &str = "/api/v1/events";

/// Tells of a run of a flow that took so many seconds, and how it ended.
async fn tell(server: &Server, flow: &str, run: &str, seconds: u32, error: Option<&str>) {
    let status = if error.is_some() { "FAILED" } else { "SUCCEEDED" };
    let events = json!([
        { "event": "flow_started", "flow": flow, "run_id": run, "ts": "2026-11-20T10:00:00Z" },
        { "event": "task_started", "flow": flow, "run_id": run, "task": "t", "node": "t:1",
          "ts": "2026-11-20T10:00:00Z" },
        { "event": if error.is_some() { "task_err" } else { "task_ok" }, "run_id": run, "task": "t",
          "node": "t:1", "error": error, "ts": format!("2026-11-20T10:00:{seconds:02}Z") },
        { "event": "flow_completed", "run_id": run, "status": status,
          "ts": format!("2026-11-20T10:00:{seconds:02}Z") },
    ]);
    let answer = server.ask(Method::POST, EVENTS, events.to_string()).await;
    assert_eq!(answer.body["accepted"], 4, "{}", answer.body);
}

async fn told() -> Server {
    let server = Server::new();
    for (run, seconds) in [("a1", 1), ("a2", 2), ("a3", 3)] {
        tell(&server, "load", run, seconds, None).await;
    }
    tell(&server, "load", "a4", 10, Some("timeout after 10 s at host-7")).await;
    tell(&server, "send", "b1", 4, Some("timeout after 12 s at host-9")).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_are_counted_and_timed() {
    let server = told().await;
    let body = server.get("/api/v1/analytics/workflows").await.body;
    assert_eq!(body["total_executions"], 5);
    assert_eq!(body["by_status"], json!({ "succeeded": 3, "failed": 2 }));
    assert_eq!(body["success_rate"], 0.6);
    assert_eq!(
        (&body["avg_duration_ms"], &body["p50_ms"], &body["p95_ms"]),
        (&4_000.into(), &3_000.into(), &10_000.into())
    );
    let load = &body["workflows"][0];
    assert_eq!(
        (&load["name"], &load["executions"], &load["failed"]),
        (&"load".into(), &4.into(), &1.into())
    );
    assert_eq!(load["success_rate"], 0.75);
    let buckets = body["series"].as_array().unwrap();
    let all: u64 = buckets.iter().map(|bucket| bucket["started"].as_u64().unwrap()).sum();
    assert_eq!((all, &body["interval"]), (5, &"day".into()));
    let one = server.get("/api/v1/analytics/workflows?workflow_id=send&interval=hour").await.body;
    assert_eq!((&one["total_executions"], &one["success_rate"]), (&1.into(), &0.0.into()));
    let none = server.get("/api/v1/analytics/workflows?workflow_id=nope").await.body;
    assert_eq!((&none["total_executions"], &none["success_rate"]), (&0.into(), &Value::Null));
    let early = "/api/v1/analytics/workflows?from=2020-01-01&to=2020-01-02";
    assert_eq!(server.get(early).await.body["total_executions"], 0);
    for query in ["from=soon", "interval=week", "from=2026-11-23&to=2026-11-01", "from=1990-01-01"]
    {
        let answer = server.get(&format!("/api/v1/analytics/jobs?{query}")).await;
        assert_eq!((answer.status.as_u16(), &*answer.problem()), (400, "bad-parameter"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_grouped_and_slow_runs_named() {
    let server = told().await;
    let body = server.get("/api/v1/analytics/jobs").await.body;
    assert_eq!(body["total"], 5);
    let errors = body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{body}");
    assert_eq!(errors[0]["count"], 2);
    assert!(errors[0]["message"].as_str().unwrap().starts_with("timeout after # s at #"), "{body}");
    assert_eq!(body["slowest"][0]["duration_ms"], 10_000);
    assert_eq!(body["slowest"][4]["duration_ms"], 1_000);
    assert_eq!(body["node_types"][0]["runs"], 5);
    assert_eq!(body["node_types"][0]["failed"], 2);
    assert_eq!(body["duration_ms"]["p99"], 10_000);
    let three_days = "/api/v1/analytics/usage?from=2026-11-01&to=2026-11-03";
    let usage = server.get(&format!("{three_days}&interval=day")).await.body;
    assert_eq!(usage["series"].as_array().unwrap().len(), 3);
    let usage = server.get(three_days).await.body;
    assert_eq!(
        usage["series"].as_array().unwrap().len(),
        72,
        "a short stretch is told by the hour"
    );
    assert!(usage["series"][25]["bucket"].as_str().unwrap().starts_with("2026-11-02T01:00:00"));
    assert_eq!(usage["series"][25]["day"], "2026-11-02");
    assert_eq!((&usage["total"]["calls"], &usage["models"]), (&0.into(), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_are_compared() {
    let server = Server::new();
    let definition = "name: way\nnodes:\n  - {id: ask, type: transform, config: {output: {n: '{{ input.n }}', \
        same: 1}}}\n  - {id: high, type: conditional, needs: [ask], config: {condition: 'input.n > 10', \
        true_edge: big, false_edge: small}}\n  - {id: big, type: noop}\n  - {id: small, type: noop}\n";
    server.deploy(definition).await;
    let (one, two) =
        (server.run("way", json!({ "n": 1 })).await, server.run("way", json!({ "n": 20 })).await);
    let id = |run: &Value| run["id"].as_str().unwrap().to_owned();
    let path = |a: &Value, b: &Value| format!("/api/v1/runs/compare?a={}&b={}", id(a), id(b));
    let body = server.get(&path(&one, &two)).await.body;
    assert_eq!(body["input"], json!([{ "path": "/n", "a": 1, "b": 20 }]));
    assert_eq!(body["parted_at"], "ask");
    assert_eq!(body["is_same_definition"], true);
    let step = |path: &str| {
        let steps = body["steps"].as_array().unwrap();
        steps.iter().find(|step| step["path"] == path).unwrap().clone()
    };
    assert_eq!(step("ask")["output"], json!([{ "path": "/n", "a": 1, "b": 20 }]));
    assert_eq!(step("big")["verdict"], "differs");
    assert_eq!(
        (&step("big")["a"]["status"], &step("big")["b"]["status"]),
        (&"skipped".into(), &"succeeded".into())
    );
    let same = server.get(&path(&one, &one)).await.body;
    assert_eq!((&same["parted_at"], &same["input"]), (&Value::Null, &json!([])));
    let gone = server.get("/api/v1/runs/compare?a=x&b=y").await;
    assert_eq!((gone.status.as_u16(), &*gone.problem()), (404, "run-not-found"));
    assert_eq!(server.get("/api/v1/runs/compare?a=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_compared_is_not_called_the_same() {
    let server = Server::new();
    let nodes: String = (0..501)
        .map(|n| format!("  - {{id: n{n}, type: transform, config: {{output: 1}}}}\n"))
        .collect();
    let last = "  - {id: last, type: transform, config: {output: '{{ input.n }}'}}\n";
    server.deploy(&format!("name: wide\nnodes:\n{nodes}{last}")).await;
    let mut ids = Vec::new();
    for n in [1, 20] {
        let run = server.run("wide", json!({ "n": n })).await;
        ids.push(run["id"].as_str().unwrap().to_owned());
    }
    let query = format!("runs/compare?a={}&b={}", ids[0], ids[1]);
    let body = server.get(&format!("/api/v1/{query}")).await.body;
    let steps = body["steps"].as_array().unwrap();
    let is = |verdict: &str| steps.iter().filter(|step| step["verdict"] == verdict).count();
    assert_eq!((is("same"), is("not_compared")), (500, 2));
    assert_eq!((&body["is_cut"], &body["parted_at"]), (&json!(true), &Value::Null));
    let page = server.page(&format!("/{query}")).await.body;
    let page = page.as_str().unwrap();
    assert!(page.contains("They went the same way as far as they were compared."), "{page}");
    assert!(page.contains("2 more ended alike"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_told_in_the_words_of_the_flow_observer() {
    let server = told().await;
    let body = server.get("/api/v1/runs/a4/tasks").await.body;
    let task = &body["items"][0];
    assert_eq!(
        (&task["id"], &task["task_name"], &task["status"]),
        (&"t:1".into(), &"t".into(), &"FAILED".into())
    );
    assert_eq!(task["duration_ms"], 10_000.0);
    assert_eq!(task["error"], "timeout after 10 s at host-7");
    assert_eq!(body["next_cursor"], Value::Null);
}
