//! Budgets: never more than there is, and what happens then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use crate::harness::*;
use crate::model::{Says, stream};

/// What each answer takes, whatever was asked.
const TOKENS: u64 = 15;

/// A model that answers `yes` after a moment. Its address, and how often it was asked.
async fn model(time: Duration) -> (String, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let router = Router::new().fallback(move |request: Request| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            let body = axum::body::to_bytes(request.into_body(), 1_000_000).await.unwrap();
            if String::from_utf8_lossy(&body).contains("say nothing") {
                return std::future::pending().await;
            }
            tokio::time::sleep(time).await;
            let mut response = Response::new(Body::from(stream(&Says::Text("yes".into()))));
            let kind = "text/event-stream".parse().unwrap();
            response.headers_mut().insert("content-type", kind);
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, asked)
}

fn server(address: &str, more: Value) -> Server {
    Server::with(|config| {
        let mut llm = json!({ "providers": { "openai": { "base_url": address, "api_key": "sk" } },
            "prices": { "gpt-dear": { "input": 1_000.0, "output": 1_000.0 },
                        "gpt-cheap": { "input": 1.0, "output": 1.0 } } });
        llm.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config.llm = serde_json::from_value(llm).unwrap();
    })
}

async fn usage(server: &Server, run: &Value) -> Value {
    let path = format!("/api/v1/runs/{}/usage", run["id"].as_str().unwrap());
    server.get(&path).await.body["total"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_at_once_never_take_more_than_there_is() {
    let (address, asked) = model(Duration::from_millis(5)).await;
    let server = server(&address, json!({}));
    server
        .deploy(
            "name: many
budget: { tokens: 1000 }
nodes:
  - id: each
    type: map
    config:
      items: '{{ input }}'
      on_item_failure: continue
      body:
        nodes: [{ id: ask, type: llm, config: { model: gpt-cheap, prompt: 'Is {{ item }} even?', max_tokens: 20 } }]
",
        )
        .await;
    let items: Vec<u64> = (0..100).collect();
    let run = server.run("many", json!(items)).await;
    assert_eq!(run["status"], "succeeded", "{run}");
    let answers = run["output"].as_array().unwrap().iter().filter(|one| !one.is_null()).count();
    let usage = usage(&server, &run).await;
    let taken = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert!(taken <= 1_000, "{usage}");
    assert_eq!(usage["calls"].as_u64().unwrap(), asked.load(Ordering::SeqCst), "each is counted");
    assert_eq!(usage["calls"].as_u64().unwrap(), answers as u64);
    assert_eq!((&usage["held_calls"], &usage["held_tokens"]), (&json!(0), &json!(0)));
    // What is left is less than one call could have taken, so nothing was refused in vain.
    assert!(taken + 300 > 1_000, "{usage}");
    let path = format!("/api/v1/runs/{}/steps?limit=300", run["id"].as_str().unwrap());
    let steps = server.get(&path).await.body;
    let failed: Vec<&Value> = steps["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["status"] == "failed" && step["kind"] == "llm")
        .collect();
    assert_eq!(failed.len(), 100 - answers);
    for step in failed {
        assert_eq!(step["error"]["code"], "budget_spent", "{step}");
        let message = step["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("the run's budget is spent: "), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_has_one_budget_for_all_runs() {
    let (address, asked) = model(Duration::ZERO).await;
    let budgets = json!({ "budgets": { "default": { "calls": 3, "per": "day" } } });
    let server = server(&address, budgets);
    let ask = |name: &str, budget: &str| {
        format!(
            "name: {name}\nnodes:\n  - {{ id: ask, type: llm, config: {{ model: gpt-cheap, prompt: hi }}{budget} }}\n"
        )
    };
    server.deploy(&ask("own", ", budget: { calls: 2, per: day }")).await;
    server.deploy(&ask("other", "")).await;
    let mut ends = Vec::new();
    for workflow in ["own", "own", "own", "other", "other"] {
        let run = server.run(workflow, Value::Null).await;
        let message = run["error"]["message"].as_str().unwrap_or("fine");
        ends.push(message.split(':').next().unwrap().to_owned());
    }
    let (node, project) =
        ("the node's budget of the day is spent", "the project's budget of the day is spent");
    assert_eq!(ends, ["fine", "fine", node, "fine", project]);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let day = server.get("/api/v1/usage").await.body;
    assert_eq!((&day["total"]["calls"], day["days"].as_array().unwrap().len()), (&json!(3), 1));
    let own = server.get("/api/v1/usage?workflow=own").await.body;
    assert_eq!((&own["total"]["calls"], &own["items"][0]["node"]), (&json!(2), &json!("ask")));
    let wrong = server.get("/api/v1/usage?from=2026-02-30").await;
    assert_eq!((wrong.status.as_u16(), wrong.problem().as_str()), (400, "bad-parameter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cheaper_model_is_asked_when_a_budget_is_spent() {
    let (address, _) = model(Duration::ZERO).await;
    let server = server(&address, json!({}));
    server
        .deploy(
            "name: thrift
nodes:
  - id: ask
    type: llm
    config: { model: gpt-dear, prompt: hi, max_tokens: 1000 }
    budget: { cost_usd: 0.01, on_spent: fallback, fallback: gpt-cheap }
  - id: free
    type: llm
    needs: [ask]
    config: { model: gpt-unknown, prompt: hi }
    budget: { cost_usd: 1 }
",
        )
        .await;
    let run = server.run("thrift", Value::Null).await;
    let usage =
        server.get(&format!("/api/v1/runs/{}/usage", run["id"].as_str().unwrap())).await.body;
    assert_eq!(usage["items"][0]["model"], "gpt-cheap", "{usage}");
    assert_eq!(usage["total"]["cost_usd"], TOKENS as f64 / 1_000_000.0);
    assert_eq!(run["error"]["code"], "budget_spent");
    let message = run["error"]["message"].as_str().unwrap();
    assert!(message.ends_with("`llm.prices` has no price for `gpt-unknown`"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_asked_whether_it_may_be_more() {
    let (address, asked) = model(Duration::ZERO).await;
    let server = server(&address, json!({}));
    server
        .deploy(
            "name: ask more
budget: { calls: 1, on_spent: ask }
nodes:
  - { id: one, type: llm, config: { model: gpt-cheap, prompt: hi } }
  - { id: two, type: llm, needs: [one], config: { model: gpt-cheap, prompt: hi } }
",
        )
        .await;
    for (decision, status, count) in [("approve", "succeeded", 2), ("reject", "failed", 3)] {
        let run = server.post("/api/v1/workflows/ask%20more/execute", json!({})).await.body;
        let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
        let waiting = at(&server, &path, &["waiting"]).await;
        assert_eq!(waiting["reason"], "approval", "{waiting}");
        let asked_for = server.get(&format!("{path}/approvals/two")).await.body;
        assert_eq!(asked_for["subject"]["spent"], "calls", "{asked_for}");
        let decide = format!("{path}/approvals/two");
        let decided = server.post(&decide, json!({ "decision": decision })).await;
        assert_eq!(decided.status, 202, "{}", decided.body);
        let ended = at(&server, &path, &["succeeded", "failed"]).await;
        assert_eq!(ended["status"], status, "{ended}");
        if status == "failed" {
            assert_eq!(ended["error"]["code"], "budget_spent");
        }
        assert_eq!(asked.load(Ordering::SeqCst), count);
    }
}

#[tokio::test]
async fn a_budget_that_cannot_be_meant_is_refused() {
    let server = Server::new();
    let definition = "name: wrong
budget: { per: day }
nodes:
  - { id: nap, type: delay, config: { duration: 1s }, budget: { calls: 1 } }
  - { id: ask, type: llm, needs: [nap], config: { model: m, prompt: hi }, budget: { calls: 1, wall: 1m, per: day } }
  - { id: tell, type: llm, needs: [ask], config: { model: m, prompt: hi }, budget: [{ token: 1 }] }
";
    let answer = server.ask(axum::http::Method::POST, "/api/v1/workflows/check", definition).await;
    let places: Vec<&str> = answer.body["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["path"].as_str().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "/budget",
            "/nodes/0/budget",
            "/nodes/1/budget/wall",
            "/nodes/2/budget/0",
            "/nodes/2/budget/0/token"
        ],
        "{}",
        answer.body
    );
}

/// What was held for a call that was broken off is spent, and holds nobody up.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_counts_with_all_it_could_have_taken() {
    let (address, asked) = model(Duration::ZERO).await;
    let budgets = json!({ "budgets": { "default": { "tokens": 400, "per": "day" } } });
    let server = server(&address, budgets);
    server
        .deploy(
            "name: tell
nodes: [{ id: ask, type: llm, config: { model: gpt-cheap, prompt: '{{ input }}', max_tokens: 100 } }]
",
        )
        .await;
    let body = json!({ "input": "say nothing" });
    let run = server.post("/api/v1/workflows/tell/execute", body).await.body;
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    server.post(&format!("{path}/cancel"), json!({})).await;
    at(&server, &path, &["cancelled"]).await;
    let held = usage(&server, &run).await["held_tokens"].as_u64().unwrap();
    assert!((100..300).contains(&held), "{held}");
    let next = server.run("tell", json!("hi")).await;
    assert_eq!(next["status"], "succeeded", "{next}");
    let next = server.run("tell", json!("hi".repeat(80))).await;
    assert_eq!(next["error"]["code"], "budget_spent", "{next}");
}
