//! What AI agents can do, whose key they bring, and what they are told when they may not.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::*;

const ASKS: &str = "
name: refund
description: Pays money back
input: {type: object, properties: {amount: {type: number}}, required: [amount]}
nodes:
  - id: ask
    type: approval
    config: {title: 'Refund {{input.amount}}?', subject: {amount: '{{input.amount}}'}}
  - {id: pay, type: noop, needs: [ask], config: {output: paid}}
output: '{{pay.output}}'
";

/// A workflow whose name no tool can have, and whose input is no object.
const ODD: &str = "name: Größe prüfen\ninput: {type: integer}\nnodes:\n  - {id: a, type: noop, \
    config: {output: '{{ input * 2 }}'}}\noutput: '{{ a.output }}'\n";

/// A tool's answer: whether it is an error, and what it says.
type Told = (bool, Value);

impl Server {
    async fn mcp(&self, key: &str, method: &str, params: Value) -> Answer {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = request(Method::POST, "/mcp")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        self.send(request.body(message.to_string().into()).unwrap()).await
    }

    async fn tools(&self, key: &str) -> Vec<String> {
        let answer = self.mcp(key, "tools/list", json!({})).await;
        let tools = answer.body["result"]["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn call(&self, key: &str, tool: &str, arguments: Value) -> Told {
        let params = json!({ "name": tool, "arguments": arguments });
        let answer = self.mcp(key, "tools/call", params).await;
        told(&answer.body)
    }

    async fn key_of(&self, role: &str, project: &str) -> String {
        let name = format!("{role}-{project}");
        let made = self.key(json!({ "name": name, "role": role, "project": project })).await;
        made["key"].as_str().unwrap().to_owned()
    }

    async fn deploy_as(&self, key: &str, text: &str) {
        let path = "/api/v1/workflows";
        let answer = self.ask_as(key, Method::POST, path, text.to_owned()).await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }
}

fn told(body: &Value) -> Told {
    let result = &body["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{body}"));
    let value = result["structuredContent"].clone();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), value);
    (result["isError"] == true, value)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_told_who_it_talks_to() {
    let server = Server::closed();
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = json!({ "name": "test", "version": "1" });
        let params =
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let answer = server.mcp(ADMIN, "initialize", params).await;
        let result = &answer.body["result"];
        assert_eq!(result["protocolVersion"], version);
        assert_eq!(result["serverInfo"]["name"], "windlass");
        assert!(result["capabilities"]["tools"].is_object(), "{result}");
        assert!(result["instructions"].as_str().unwrap().contains("get_run"));
        assert_eq!(answer.header("mcp-session-id"), "", "nothing is kept between two requests");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_sees_the_tools_it_may_call() {
    let server = Server::closed();
    server.deploy_as(ADMIN, ADD).await;
    let reads = [
        "list_workflows",
        "describe_workflow",
        "get_run",
        "read_logs",
        "why",
        "list_approvals",
        "get_approval",
    ];
    let operates = ["start_workflow", "send_signal", "cancel_run", "run_add"];
    for (role, may_operate, may_approve) in
        [("viewer", false, false), ("operator", true, false), ("approver", false, true)]
    {
        let tools = server.tools(&server.key_of(role, "default").await).await;
        let has = |name: &&str| tools.iter().any(|tool| tool == name);
        assert!(reads.iter().all(has), "{role}: {tools:?}");
        assert_eq!(operates.iter().filter(|name| has(name)).count(), 4 * usize::from(may_operate));
        assert_eq!(has(&"decide_approval"), may_approve, "{role}");
    }
    let viewer = server.key_of("viewer", "default").await;
    for tool in ["start_workflow", "run_add", "run_nobody", "cancel_run", "decide_approval"] {
        let all = json!({ "workflow": "add", "run": "x", "step": "s", "decision": "approve",
            "hash": "h", "n": 1 });
        let (is_error, said) = server.call(&viewer, tool, all).await;
        assert!(is_error && said["code"] == "forbidden", "{tool}: {said}");
    }
    assert_eq!(
        server.mcp(&server.key_of("worker", "default").await, "ping", json!({})).await.status,
        403
    );
    // What somebody tried is recorded like what somebody did.
    let audit = server.get_as(ADMIN, "/api/v1/audit").await.body;
    let found = audit["items"].as_array().unwrap().iter().any(|item| {
        item["action"] == "run.create"
            && item["target"] == "/api/v1/workflows/nobody/execute"
            && item.to_string().contains("403")
    });
    assert!(found, "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_is_a_tool() {
    let server = Server::closed();
    server.deploy_as(ADMIN, ADD).await;
    server.deploy_as(ADMIN, ODD).await;
    let listed = server.mcp(ADMIN, "tools/list", json!({})).await.body;
    let tools = listed["result"]["tools"].as_array().unwrap();
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        assert!((1..=64).contains(&name.len()) && name.chars().all(is_allowed), "{name}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert!(!tool["description"].as_str().unwrap().is_empty(), "{name}");
    }
    let of = |title: &str| tools.iter().find(|tool| tool["title"] == title).unwrap();
    assert_eq!(of("add")["name"], "run_add");
    assert_eq!(of("add")["inputSchema"]["required"], json!(["n"]));
    let odd = of("Größe prüfen");
    assert!(odd["name"].as_str().unwrap().starts_with("run-Gr__e_pr_fen-"), "{odd}");
    assert_eq!(odd["inputSchema"]["properties"]["input"], json!({ "type": "integer" }));

    let (is_error, run) = server.call(ADMIN, "run_add", json!({ "n": 1 })).await;
    assert!(!is_error && run["status"] == "succeeded" && run["is_over"] == true, "{run}");
    let name = odd["name"].as_str().unwrap();
    let (_, run) = server.call(ADMIN, name, json!({ "input": 21 })).await;
    assert_eq!((&run["output"], &run["workflow"]), (&json!(42), &json!("Größe prüfen")));
    for (tool, arguments, code) in [
        ("run_add", json!({ "n": "x" }), "invalid-input"),
        (name, json!({ "n": 1 }), "invalid-request"),
        ("run_nobody", json!({}), "workflow-not-found"),
        ("get_run", json!({ "run": "nobody" }), "run-not-found"),
        ("get_run", json!({}), "invalid-request"),
        ("get_run", json!({ "run": "x", "odd": 1 }), "invalid-request"),
        ("read_logs", json!({ "run": "x", "limit": 0 }), "invalid-request"),
        ("list_workflows", json!({ "cursor": "!" }), "bad-parameter"),
    ] {
        let (is_error, said) = server.call(ADMIN, tool, arguments).await;
        assert!(is_error && said["code"] == code, "{tool}: {said}");
        assert!(said["detail"].is_string(), "{tool}: {said}");
    }
    let unknown = server.mcp(ADMIN, "tools/call", json!({ "name": "rm", "arguments": {} })).await;
    assert_eq!(unknown.body["error"]["code"], -32602, "{}", unknown.body);
    let odd = server.mcp(ADMIN, "tools/list", json!({ "cursor": "!" })).await;
    assert_eq!(odd.body["error"]["code"], -32602, "{}", odd.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_in_pages() {
    let server = Server::closed();
    for n in 0..101 {
        let text = format!("name: w{n:03}\nnodes: [{{id: a, type: noop}}]\n");
        server.deploy_as(ADMIN, &text).await;
    }
    let first = server.mcp(ADMIN, "tools/list", json!({})).await.body;
    let cursor = first["result"]["nextCursor"].clone();
    assert!(cursor.is_string(), "{cursor}");
    let second = server.mcp(ADMIN, "tools/list", json!({ "cursor": cursor })).await.body;
    let names: Vec<&str> = [&first, &second]
        .iter()
        .flat_map(|page| page["result"]["tools"].as_array().unwrap())
        .filter_map(|tool| tool["name"].as_str().unwrap().strip_prefix("run_w"))
        .collect();
    assert_eq!(names, (0..101).map(|n| format!("{n:03}")).collect::<Vec<_>>());
    assert_eq!(second["result"]["tools"].as_array().unwrap().len(), 1);
    assert!(second["result"]["nextCursor"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_run() {
    let server = Server::closed();
    server.deploy_as(ADMIN, ADD).await;
    let call = async |n: i32| {
        let meta = json!({ "windlass/idempotency_key": "once", "windlass/wait_seconds": 5 });
        let params = json!({ "name": "run_add", "arguments": { "n": n }, "_meta": meta });
        told(&server.mcp(ADMIN, "tools/call", params).await.body).1
    };
    let (first, second) = (call(1).await, call(1).await);
    assert_eq!(first["run_id"], second["run_id"]);
    assert_eq!(call(2).await["code"], "key-reused");
    // The general tool and the API mean the same by a key.
    let arguments = json!({ "workflow": "add", "input": { "n": 1 }, "idempotency_key": "once" });
    let (_, third) = server.call(ADMIN, "start_workflow", arguments).await;
    assert_eq!(third["run_id"], first["run_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_found_read_and_answered() {
    let server = Server::closed();
    server.deploy_as(ADMIN, ASKS).await;
    let operator = server.key_of("operator", "default").await;
    let approver = server.key_of("approver", "default").await;
    let arguments = json!({ "workflow": "refund", "input": { "amount": 7 }, "wait_seconds": 0 });
    let (_, run) = server.call(&operator, "start_workflow", arguments).await;
    let run = run["run_id"].as_str().unwrap();
    let waiting = loop {
        let (_, found) = server.call(&approver, "list_approvals", json!({})).await;
        if let Some(found) = found["approvals"].as_array().unwrap().first() {
            break found.clone();
        }
    };
    assert_eq!((&waiting["run_id"], &waiting["step"]), (&json!(run), &json!("ask")));
    let (_, why) = server.call(&operator, "why", json!({ "run": run })).await;
    assert_eq!(why["steps"][0]["because"], "approval", "{why}");
    let step = json!({ "run": run, "step": "ask" });
    let (_, asked) = server.call(&approver, "get_approval", step).await;
    assert_eq!(asked["subject"], json!({ "amount": 7 }));
    let decision = |hash: &Value| json!({ "run": run, "step": "ask", "decision": "approve", "hash": hash, "comment": "ok" });
    let (_, refused) = server.call(&approver, "decide_approval", decision(&json!("old"))).await;
    assert_eq!(refused["code"], "approval-changed");
    let (is_error, said) =
        server.call(&approver, "decide_approval", decision(&asked["hash"])).await;
    assert!(!is_error, "{said}");
    let over = json!({ "run": run, "wait_seconds": 10 });
    let (_, over) = server.call(&operator, "get_run", over).await;
    assert_eq!((&over["status"], &over["output"]), (&json!("succeeded"), &json!("paid")));
    assert_eq!(over["input"], json!({ "amount": 7 }));
    assert_eq!(
        over["steps"][0],
        json!({ "path": "ask", "kind": "approval", "status": "succeeded" })
    );
    // It is in the audit log as if it had been done over the API.
    let audit = server.get_as(ADMIN, "/api/v1/audit").await.body;
    let found = audit["items"].as_array().unwrap().iter().any(|item| {
        item["action"] == "approval.decide"
            && item["principal"] == "key:approver-default"
            && item["target"] == format!("/api/v1/runs/{run}/approvals/ask")
    });
    assert!(found, "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_something_and_cancelled() {
    let server = Server::closed();
    server.deploy_as(ADMIN, WAIT).await;
    let arguments = json!({ "workflow": "wait", "wait_seconds": 0 });
    let (_, run) = server.call(ADMIN, "start_workflow", arguments).await;
    let run = run["run_id"].as_str().unwrap();
    let (is_error, said) =
        server.call(ADMIN, "send_signal", json!({ "run": run, "name": "hello" })).await;
    assert!(!is_error, "{said}");
    let arguments = json!({ "run": run, "reason": "enough", "wait_seconds": 10 });
    let (_, said) = server.call(ADMIN, "cancel_run", arguments.clone()).await;
    assert_eq!(said["status"], "cancelled", "{said}");
    let (is_error, said) = server.call(ADMIN, "cancel_run", arguments).await;
    assert!(is_error && said["code"] == "wrong-state", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_project_is_as_unknown_as_what_was_never_there() {
    let server = Server::closed();
    let (mine, other) =
        (server.key_of("admin", "mine").await, server.key_of("admin", "other").await);
    server.deploy_as(&mine, ADD).await;
    server.deploy_as(&mine, ODD).await;
    let (_, run) = server.call(&mine, "run_add", json!({ "n": 1 })).await;
    let odd = server.tools(&mine).await.into_iter().find(|name| name.starts_with("run-")).unwrap();
    assert!(!server.tools(&other).await.iter().any(|name| name.starts_with("run")));
    for (tool, arguments, code) in [
        ("run_add", json!({ "n": 1 }), "workflow-not-found"),
        (odd.as_str(), json!({ "input": 1 }), "workflow-not-found"),
        ("describe_workflow", json!({ "workflow": "add" }), "workflow-not-found"),
        ("start_workflow", json!({ "workflow": "add" }), "workflow-not-found"),
        ("get_run", json!({ "run": run["run_id"] }), "run-not-found"),
        ("read_logs", json!({ "run": run["run_id"] }), "run-not-found"),
        ("why", json!({ "run": run["run_id"] }), "run-not-found"),
        ("cancel_run", json!({ "run": run["run_id"] }), "run-not-found"),
        ("send_signal", json!({ "run": run["run_id"], "name": "x" }), "run-not-found"),
        ("get_approval", json!({ "run": run["run_id"], "step": "a" }), "run-not-found"),
    ] {
        let (is_error, said) = server.call(&other, tool, arguments).await;
        assert!(is_error && said["code"] == code, "{tool}: {said}");
    }
    let (_, none) = server.call(&other, "list_workflows", json!({})).await;
    assert_eq!(none, json!({ "workflows": [], "next_cursor": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_that_of_the_whole_server() {
    let server = Server::closed();
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    let ask = async |headers: &[(&str, &str)]| {
        let mut request = request(Method::POST, "/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            if *name == "host" {
                request.headers_mut().unwrap().remove("host");
            }
            request = request.header(*name, *value);
        }
        server.send(request.body(Body::from(message.clone())).unwrap()).await
    };
    assert_eq!(ask(&[]).await.problem(), "unauthenticated");
    assert_eq!(ask(&[("authorization", "Bearer wl_no")]).await.problem(), "unauthenticated");
    let key = ("x-api-key", ADMIN);
    assert_eq!(ask(&[key]).await.body["result"], json!({}));
    assert_eq!(
        ask(&[key, ("origin", "https://evil.example")]).await.problem(),
        "origin-not-allowed"
    );
    assert_eq!(ask(&[key, ("host", "evil.example")]).await.problem(), "host-not-allowed");
    // A browser's session is not enough: another site could have sent the request.
    let form = format!("key={}", ADMIN.replace(' ', "+"));
    let login = request(Method::POST, "/login")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    let login = server.send(login.unwrap()).await;
    let cookie = login.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("windlass_session="), "{}", login.body);
    assert_eq!(ask(&[("cookie", &cookie)]).await.problem(), "csrf");
    let get = server.get_as(ADMIN, "/mcp").await;
    assert_eq!((get.problem().as_str(), get.header("allow")), ("method-not-allowed", "POST"));
    let odd = server.ask_as(ADMIN, Method::POST, "/mcp", "{}").await;
    assert!(odd.status.is_client_error());
    let small = Server::with(|config| config.server.body_bytes_max = 65_536);
    let large = small.ask(Method::POST, "/mcp", "x".repeat(70_000)).await;
    assert_eq!(large.problem(), "body-too-large");
}
