//! The window of the hybrid engine.

use serde_json::{Value, json};

use crate::harness::*;

/// Steps of which the second waits for data and the third for the second.
fn document(id: &str) -> Value {
    json!({
        "id": id, "name": "Digest", "description": "try",
        "steps": [
            { "id": "1", "name": "Load", "action": "transform", "params": { "output": { "rows": 12 } },
              "status": "COMPLETED", "outputs": { "rows": 11, "said": "{{ nothing }}" } },
            { "id": "mail", "name": "Mail", "action": "external_data", "dependencies": ["1"] },
            { "id": "end", "action": "transform", "dependencies": ["mail"],
              "params": { "output": "{{ mail.output.content }}" } },
        ],
    })
}

fn step<'a>(state: &'a Value, id: &str) -> &'a Value {
    let steps = state["steps"].as_array().unwrap();
    steps.iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no {id}: {state}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_runs_from_where_it_stands() {
    let server = Server::new();
    let state = server.post("/api/workflows", document("5b0c")).await;
    assert_eq!(state.status, 201, "{}", state.body);
    let again = server.post("/api/workflows", document("5b0c")).await;
    assert_eq!((again.status.as_u16(), &again.body["code"]), (409, &"external-id-taken".into()));
    let state = step_at(&server, "mail", "RUNNING").await;
    assert_eq!(state["status"], "RUNNING");
    assert_eq!(state["name"], "Digest");
    assert_eq!(state["progress"], 33);
    assert_eq!(step(&state, "1")["outputs"], json!({ "rows": 11, "said": "{{ nothing }}" }));
    assert_eq!(step(&state, "1")["action"], "transform");
    assert_eq!(step(&state, "mail")["dependencies"], json!(["1"]));
    assert_eq!(step(&state, "end")["status"], "PENDING");

    let data = json!({ "content": "hello", "step_name": "Mail", "source_url": "mailto:a@b" });
    let taken = server.post("/api/workflows/5b0c/external-data", data).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(taken.body["step_id"], "mail");
    assert_eq!(taken.body["queued_dependents"], json!(["end"]));
    let state = at(&server, "/api/workflows/5b0c", &["COMPLETED"]).await;
    assert_eq!(state["progress"], 100);
    assert_eq!(step(&state, "end")["outputs"], "hello");
    assert_eq!(step(&state, "end")["duration"], "0 sec");
    let brought = server.get("/api/workflows/5b0c/external-data").await.body;
    assert_eq!(brought[0]["outputs"]["source_url"], "mailto:a@b");
    let stopped = server.post("/api/workflows/5b0c/stop", json!({})).await;
    assert_eq!(stopped.body["status"], "COMPLETED", "what is over stays as it is");
    let resumed = server.post("/api/workflows/5b0c/resume", json!({})).await;
    assert_eq!(resumed.status, 409);
}

/// The run `5b0c` as soon as a step of it stands there.
async fn step_at(server: &Server, id: &str, status: &str) -> Value {
    loop {
        let state = server.get("/api/workflows/5b0c").await.body;
        if step(&state, id)["status"] == status {
            return state;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_nobody_waits_for_is_a_further_step() {
    let server = Server::new();
    server.post("/api/workflows", document("5b0c")).await;
    let data = json!({ "content": [1, 2], "content_type": "json", "step_name": "Aside" });
    let taken = server.post("/api/workflows/5b0c/external-data", data).await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert_eq!(taken.body["queued_dependents"], json!([]));
    let state = server.get("/api/workflows/5b0c").await.body;
    let aside = step(&state, taken.body["step_id"].as_str().unwrap());
    assert_eq!((&aside["name"], &aside["status"]), (&"Aside".into(), &"COMPLETED".into()));
    assert_eq!(aside["outputs"]["content"], json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_finds_its_step_by_the_id_as_well() {
    let server = Server::new();
    server.post("/api/workflows", document("5b0c")).await;
    step_at(&server, "mail", "RUNNING").await;
    let data = json!({ "content": "hello", "step_name": "mail" });
    let taken = server.post("/api/workflows/5b0c/external-data", data).await;
    assert_eq!(taken.body["step_id"], "mail", "{}", taken.body);
    at(&server, "/api/workflows/5b0c", &["COMPLETED"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_data_on_has_not_brought_it() {
    let server = Server::new();
    let steps = json!([
        { "id": "mail", "action": "external_data" },
        { "id": "echo", "action": "transform", "dependencies": ["mail"],
          "params": { "output": "{{ mail.output }}" } },
    ]);
    server.post("/api/workflows", json!({ "id": "5b0c", "name": "Echo", "steps": steps })).await;
    let data = json!({ "content": "hello", "step_name": "mail" });
    server.post("/api/workflows/5b0c/external-data", data).await;
    let state = at(&server, "/api/workflows/5b0c", &["COMPLETED"]).await;
    assert_eq!(step(&state, "echo")["outputs"]["content"], "hello");
    let brought = server.get("/api/workflows/5b0c/external-data").await.body;
    assert_eq!(brought.as_array().unwrap().len(), 1, "{brought}");
    assert_eq!(brought[0]["id"], "mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_program_comes_from_no_template() {
    let server = Server::new();
    let event = json!({ "event": "flow_started", "run_id": "r", "flow": "nightly" });
    server.post("/api/v1/events", event).await;
    let state = server.get("/api/workflows/r").await.body;
    assert_eq!((&state["name"], &state["description"]), (&"nightly".into(), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_stopped_and_resumed() {
    let server = Server::new();
    server.post("/api/workflows", document("5b0c")).await;
    step_at(&server, "mail", "RUNNING").await;
    let stopped = server.post("/api/workflows/5b0c/stop", json!({})).await;
    assert_eq!((stopped.status.as_u16(), &stopped.body["status"]), (200, &"STOPPED".into()));
    assert_eq!(step(&stopped.body, "mail")["status"], "STOPPED");
    let twice = server.post("/api/workflows/5b0c/stop", json!({})).await;
    assert_eq!((twice.status.as_u16(), &twice.body["status"]), (200, &"STOPPED".into()));
    let resumed = server.post("/api/workflows/5b0c/resume", json!({})).await;
    assert_eq!((resumed.status.as_u16(), &resumed.body["status"]), (200, &"RUNNING".into()));
    // A document that says it is stopped waits to be resumed, before its first step.
    let other = json!({
        "id": "other", "name": "Other", "status": "STOPPED",
        "steps": [{ "id": "b", "name": "B", "action": "noop", "status": "STOPPED",
                    "dependencies": [], "params": {} }],
    });
    assert_eq!(server.post("/api/workflows", other).await.body["status"], "STOPPED");
    let events = server.get("/api/v1/runs/other/events").await.body;
    let types: Vec<_> = events["items"].as_array().unwrap().iter().map(|it| &it["type"]).collect();
    assert_eq!(types, ["run_created", "run_paused"]);
    let resumed = server.post("/api/workflows/other/resume", json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    assert_ne!(resumed.body["status"], "STOPPED", "{}", resumed.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_failed_goes_on_under_its_id() {
    let server = Server::new();
    let steps = json!([
        { "id": "a", "action": "transform", "params": { "output": 1 } },
        { "id": "b", "action": "shell", "dependencies": ["a"],
          "params": { "script": "test -e \"$FILE\"", "env": { "FILE": "{{ run.id }}" } } },
        { "id": "c", "action": "noop", "dependencies": ["b"] },
    ]);
    let made = server.post("/api/workflows", json!({ "name": "Try", "steps": steps })).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/workflows/{id}");
    let failed = at(&server, &path, &["FAILED"]).await;
    assert_eq!(step(&failed, "b")["status"], "FAILED");
    assert_eq!(step(&failed, "c")["status"], "STOPPED");
    assert_eq!(failed["progress"], 100);
    let resumed = server.post(&format!("{path}/resume"), json!({})).await;
    assert_eq!(resumed.status, 200, "{}", resumed.body);
    assert_eq!(resumed.body["id"], id.as_str());
    at(&server, &path, &["FAILED"]).await;
    let all = server.get("/api/workflows").await.body;
    assert_eq!(all.as_array().unwrap().len(), 1, "one run that was resumed is one workflow: {all}");
    let summary = server.get("/api/dashboard/summary").await.body;
    assert_eq!((&summary["totalWorkflows"], &summary["failedWorkflows"]), (&1.into(), &1.into()));
    assert_eq!(summary["recentActivity"][0]["id"], id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_passed_over_does_not_fail_the_run() {
    let server = Server::new();
    let steps = json!([
        { "id": "bad", "action": "fail", "params": { "message": "no" }, "on_failure": "continue" },
        { "id": "behind", "action": "noop", "dependencies": ["bad"] },
        { "id": "beside", "action": "noop" },
    ]);
    server.post("/api/workflows", json!({ "id": "5b0c", "steps": steps })).await;
    let state = at(&server, "/api/workflows/5b0c", &["COMPLETED"]).await;
    assert_eq!(state["steps"].as_array().unwrap().len(), 3, "{state}");
    assert_eq!(step(&state, "bad")["status"], "FAILED");
    assert_eq!(step(&state, "bad")["on_failure"], "continue");
    assert_eq!(step(&state, "behind")["status"], "STOPPED");
    assert_eq!(step(&state, "beside")["status"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_workflows() {
    let server = Server::new();
    let listed = server.get("/api/templates").await.body;
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["data_processing", "test", "tmpl_001", "tmpl_002", "tmpl_003"]);
    server
        .deploy(
            "name: greet\ninput: {type: object, properties: {who: {type: string, default: you}}}\n\
             nodes:\n  - {id: greet, type: transform, config: {output: 'hello {{ input.who }}'}}\n",
        )
        .await;
    let listed = server.get("/api/templates").await.body;
    let greet = listed.as_array().unwrap().iter().find(|it| it["id"] == "greet").unwrap();
    assert_eq!(
        greet["parameters"],
        json!([{ "name": "who", "type": "string", "defaultValue": "you" }])
    );
    // The first form, with the parameters as the body, and as the seed's own curl lines have them.
    let path = "/api/workflows/from-template";
    let by_body = server.post(&format!("{path}?template_id=greet"), json!({ "who": "Ada" })).await;
    assert_eq!(by_body.status, 200, "{}", by_body.body);
    let by_query = format!("{path}?template_id=greet&params=%7B%22who%22%3A%22Ada%22%7D");
    assert_eq!(server.post(&by_query, json!({})).await.status, 200);
    let later = json!({ "template_id": "greet", "params": { "who": "Ada" } });
    let later = server.post(path, later).await;
    assert_eq!(later.status, 201);
    for made in [by_body, later] {
        let path = format!("/api/workflows/{}", made.body["id"].as_str().unwrap());
        let state = at(&server, &path, &["COMPLETED"]).await;
        assert_eq!(step(&state, "greet")["outputs"], "hello Ada");
        assert_eq!(state["description"], "Generated from template: greet");
    }
    let shipped = server.post(&format!("{path}?template_id=test"), json!({})).await;
    assert_eq!(shipped.status, 200, "{}", shipped.body);
    let unknown = server.post(&format!("{path}?template_id=nope"), json!({})).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["code"]),
        (404, &"workflow-not-found".into())
    );
    assert_eq!(server.post(path, json!({})).await.status, 400);
    assert_eq!(
        server.post(&format!("{path}?template_id=greet&params=1"), json!({})).await.status,
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_a_run_of_its_own() {
    let server = Server::new();
    server.post("/api/workflows", document("5b0c")).await;
    let path = "/api/workflows/5b0c/branch";
    let branch = server.post(path, json!({ "branch_name": "warm" })).await;
    assert_eq!(branch.status, 201, "{}", branch.body);
    assert_eq!(branch.body["id"], "5b0c_branch_1");
    assert_eq!(branch.body["name"], "Digest (Branch: warm)");
    assert_eq!(branch.body["parentId"], "5b0c");
    let second = server.post(path, json!({ "branch_name": "cold" })).await;
    assert_eq!(second.body["id"], "5b0c_branch_2");
    let parent = server.get("/api/workflows/5b0c").await.body;
    let branches = parent["branches"].as_array().unwrap();
    assert_eq!(branches[1], json!({ "id": "5b0c_branch_2", "name": "Digest (Branch: cold)" }));
    assert_eq!(server.post(path, json!({ "branch_name": " " })).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_is_shown_as_it_was() {
    let server = Server::new();
    let mut begun = document("5b0c");
    begun["createdAt"] = "2025-06-08T09:59:00".into();
    let done = json!({ "startTime": "2025-06-08T10:00:00", "endTime": "2025-06-08T10:00:05",
        "logs": ["twelve rows"], "metadata": { "tokens": 100, "cost": 0.001 } });
    let first = begun["steps"][0].as_object_mut().unwrap();
    first.extend(done.as_object().unwrap().clone());
    server.post("/api/workflows", begun).await;
    let state = step_at(&server, "mail", "RUNNING").await;
    let first = step(&state, "1");
    assert_eq!(first["startTime"], "2025-06-08T10:00:00Z");
    assert_eq!(first["duration"], "5 sec");
    assert_eq!(first["logs"], json!(["twelve rows"]));
    assert_eq!(first["metadata"]["tokens"], 100);
    assert_eq!(state["metrics"], json!({ "total_tokens": 100, "total_cost": 0.001 }));
    assert_eq!(state["createdAt"], "2025-06-08T09:59:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_over_is_kept_and_not_done_again() {
    let server = Server::new();
    let done = json!({
        "id": "0ld", "name": "Digest", "status": "FAILED",
        "createdAt": "2025-06-08T10:00:00", "updatedAt": "2025-06-08T10:00:09",
        "steps": [
            { "id": "a", "name": "A", "action": "data_processing", "status": "COMPLETED",
              "outputs": { "rows": 12 }, "startTime": "2025-06-08T10:00:00",
              "endTime": "2025-06-08T10:00:05", "logs": ["one", "two"],
              "params": { "table": "orders" }, "metadata": { "tokens": 100, "cost": 0.5 } },
            { "id": "b", "name": "B", "action": "gemini_chat", "status": "FAILED", "error": "no key",
              "startTime": "2025-06-08T10:00:05", "endTime": "2025-06-08T10:00:09" },
            { "id": "c", "action": "test", "status": "STOPPED", "dependencies": ["b"] },
        ],
    });
    let made = server.post("/api/workflows", done.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let state = &made.body;
    assert_eq!((&state["id"], &state["status"]), (&"0ld".into(), &"FAILED".into()));
    assert_eq!(state["createdAt"], "2025-06-08T10:00:00Z", "it began when it began");
    let a = step(state, "a");
    assert_eq!((&a["status"], &a["duration"]), (&"COMPLETED".into(), &"5 sec".into()));
    assert_eq!(a["outputs"], json!({ "rows": 12 }));
    assert_eq!(a["logs"], json!(["one", "two"]));
    assert_eq!(step(state, "b")["error"], "no key");
    assert_eq!((&a["name"], &a["action"]), (&"A".into(), &"data_processing".into()));
    assert_eq!(
        (&a["params"], &a["metadata"]["tokens"]),
        (&json!({ "table": "orders" }), &100.into())
    );
    assert_eq!(state["metrics"]["total_cost"], 0.5);
    let c = step(state, "c");
    assert_eq!((&c["status"], &c["dependencies"]), (&"STOPPED".into(), &json!(["b"])));
    assert_eq!(server.post("/api/workflows", done.clone()).await.status, 409);
    // One of the same name that goes on does not mind, before or after.
    let mut other = document("0pen");
    other["name"] = "Digest".into();
    assert_eq!(server.post("/api/workflows", other).await.status, 201);
    let mut later = done;
    later["id"] = "0lder".into();
    assert_eq!(server.post("/api/workflows", later).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let server = Server::new();
    for (body, field) in [
        (json!({}), "steps"),
        (json!({ "steps": [{ "action": "juggle" }] }), "steps.0.action"),
        (json!({ "steps": [{ "id": "a", "dependencies": ["b"] }] }), "steps.0.dependencies"),
        (json!({ "id": "x".repeat(300), "steps": [{}] }), "id"),
        (json!({ "id": "runs", "steps": [{}] }), "id"),
        (json!({ "id": "a\u{7}", "steps": [{}] }), "id"),
        (json!({ "name": "x".repeat(300), "steps": [{}] }), "name"),
    ] {
        let answer = server.post("/api/workflows", body).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body["detail"].as_str().unwrap().contains(field), "{}", answer.body);
    }
    let circle = json!({ "steps": [
        { "id": "a", "dependencies": ["b"] }, { "id": "b", "dependencies": ["a"] },
    ] });
    let answer = server.post("/api/workflows", circle).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (400, &"invalid-definition".into()));
    for (method, path) in [("GET", "nope"), ("POST", "nope/stop"), ("POST", "nope/resume")] {
        let method = method.parse().unwrap();
        let answer = server.ask(method, &format!("/api/workflows/{path}"), "{}").await;
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &"run-not-found".into()));
    }
}
