//! What people are asked, and what is sent to runs that wait.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

const ASKS: &str = "
name: refund
nodes:
  - id: ask
    type: approval
    config:
      title: \"Refund {{input.amount}}?\"
      subject: { amount: \"{{input.amount}}\" }
      form: { type: object, properties: { note: { type: string } }, required: [note] }
      approvers: [ada, 'role:admin']
      not_by_requester: true
  - { id: pay, type: noop, needs: [ask], config: { output: \"{{ask.output.form.note}}\" } }
output: \"{{pay.output}}\"
";

async fn asked(server: &Server, path: &str) -> Value {
    let waited = async {
        loop {
            let answer = server.get_as(ADMIN, path).await;
            if answer.status == 200 {
                return answer.body;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), waited).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_decided_by_those_who_may_and_about_what_they_saw() {
    let server = Server::closed();
    let key = async |name: &str, role: &str| {
        let key = server.key(json!({ "name": name, "role": role })).await;
        key["key"].as_str().unwrap().to_owned()
    };
    let (ada, bob, eve) =
        (key("ada", "approver").await, key("bob", "approver").await, key("eve", "admin").await);
    let operator = key("oscar", "operator").await;
    let deployed = server.ask_as(&eve, Method::POST, "/api/v1/workflows", ASKS).await;
    assert_eq!(deployed.status, 201, "{}", deployed.body);
    let input = json!({ "input": { "amount": 7 } }).to_string();
    let run = server.ask_as(&eve, Method::POST, "/api/v1/workflows/refund/execute", input).await;
    let id = run.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/runs/{id}/approvals/ask");
    let asked = asked(&server, &path).await;
    assert_eq!(
        (&asked["title"], &asked["subject"]),
        (&json!("Refund 7?"), &json!({ "amount": 7 }))
    );
    let listed = server.get_as(&bob, "/api/v1/approvals").await.body;
    assert_eq!(
        (&listed["items"][0]["run_id"], &listed["items"][0]["step"]),
        (&json!(id), &json!("ask"))
    );

    let decide = async |key: &str, body: Value| {
        server.ask_as(key, Method::POST, &path, body.to_string()).await
    };
    let yes = json!({ "decision": "approve", "form": { "note": "sorry" }, "hash": asked["hash"] });
    let with = |field: &str, value: Value| {
        let mut body = yes.clone();
        body[field] = value;
        body
    };
    assert_eq!(decide(&operator, yes.clone()).await.problem(), "forbidden");
    assert_eq!(decide(&bob, yes.clone()).await.problem(), "forbidden", "he is not asked");
    assert_eq!(decide(&eve, yes.clone()).await.problem(), "forbidden", "she has started it");
    let other = decide(&ada, with("hash", json!("0"))).await;
    assert_eq!(other.problem(), "approval-changed");
    let unfilled = decide(&ada, with("form", json!({}))).await;
    assert_eq!(unfilled.problem(), "invalid-request");
    assert_eq!(unfilled.body["errors"][0]["message"], "the field `note` is missing");
    let marked = json!({ "status": "skipped" }).to_string();
    let mark = format!("/api/v1/runs/{id}/steps/ask/mark");
    let marked = server.ask_as(&operator, Method::POST, &mark, marked).await;
    assert_eq!(marked.problem(), "wrong-state", "nobody gets around it");

    let decided = decide(&ada, yes.clone()).await;
    assert_eq!(decided.status, 202, "{}", decided.body);
    assert_eq!(decide(&ada, yes).await.problem(), "wrong-state");
    assert_eq!(server.get_as(&ada, "/api/v1/approvals").await.body["items"], json!([]));
    let run = server.get_as(&ada, &format!("/api/v1/runs/{id}")).await;
    assert!(matches!(run.body["status"].as_str(), Some("running" | "succeeded")), "{}", run.body);
    let events = server.get_as(&ada, &format!("/api/v1/runs/{id}/events")).await.body;
    let decided = events["items"].as_array().unwrap().iter();
    let decided = decided.filter(|event| event["type"] == "step_decided").collect::<Vec<_>>();
    assert_eq!((decided.len(), &decided[0]["by"]), (1, &json!("key:ada")));
}

const LISTENS: &str = "
name: listen
nodes:
  - { id: go, type: wait_signal, config: { signal: go now } }
  - { id: paid, type: wait_event, needs: [go], config: { event: order.paid, match: { id: 7 } } }
output: \"{{paid.output.by}} {{go.output}}\"
";

#[tokio::test(flavor = "multi_thread")]
async fn signals_and_events_are_sent_over_http() {
    let server = Server::new();
    server.deploy(LISTENS).await;
    let run = server.post("/api/v1/workflows/listen/execute", json!({})).await.body;
    let run = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    let path = format!("{run}/signals/go%20now");
    for _ in 0..2 {
        let request = request(Method::POST, &path).header("idempotency-key", "one");
        let body = json!({ "payload": "fast" }).to_string();
        let sent = server.send(request.body(body.into()).unwrap()).await;
        assert_eq!(sent.status, 202, "{}", sent.body);
    }
    let events = server.get(&format!("{run}/events")).await.body.to_string();
    assert_eq!(events.matches("signal_received").count(), 1, "{events}");
    let event = |data: Value| server.post("/api/v1/events/order.paid", json!({ "data": data }));
    assert_eq!(event(json!({ "id": 8 })).await.body["taken"], 0);
    assert_eq!(event(json!({ "id": 7, "by": "ada" })).await.body["taken"], 1);
    let ended = server.get(&run).await.body;
    assert_eq!((&ended["status"], &ended["output"]), (&json!("succeeded"), &json!("ada fast")));

    let refused = server.post(&path, json!({})).await;
    assert_eq!(refused.problem(), "wrong-state", "it is over");
    assert_eq!(server.post(&path, json!({ "paylod": 1 })).await.problem(), "invalid-request");
    assert_eq!(server.post("/api/v1/runs/x/signals/a", json!({})).await.problem(), "run-not-found");
    let long = format!("/api/v1/events/{}", "x".repeat(300));
    assert_eq!(server.post(&long, json!({})).await.problem(), "bad-parameter");
    let none = server.get(&format!("{run}/approvals/go")).await;
    assert_eq!(none.problem(), "wrong-state");
}
