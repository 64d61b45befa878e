//! The window of the chameleon engine: every path, and every refusal. Pilots are in `pilots.rs`.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_engine::shard::id_in;

use crate::harness::*;

pub(crate) const REFUND_DESK: &str =
    include_str!("../../../../examples/templates/refund_desk.yaml");

pub(crate) const ALICE: &str = "00000000-0000-4000-8000-00000000a11c";
pub(crate) const BOB: &str = "00000000-0000-4000-8000-000000000b0b";
pub(crate) const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// A server that knows the template of the refund desk.
pub(crate) async fn desk() -> Server {
    let server = Server::new();
    server.deploy(REFUND_DESK).await;
    server
}

/// An instance of it, with a first unit of work.
pub(crate) async fn begin(server: &Server, context: Value) -> String {
    let wanted = json!({ "template_id": "Refund_Desk", "initial_context": context });
    let made = server.post("/workflow/instantiate", wanted).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert!(made.body["message"].is_string());
    made.body["workflow_id"].as_str().unwrap().to_owned()
}

/// The id of a role, as the canonical API shows it.
fn role(instance: &str, name: &str) -> String {
    id_in(instance.parse().unwrap(), &format!("role/Refund_Desk/{name}")).to_string()
}

pub(crate) async fn checkout(server: &Server, instance: &str, actor: &str, name: &str) -> Answer {
    let body = json!({ "actor_id": actor, "role_id": role(instance, name) });
    server.post("/workflow/checkout", body).await
}

/// Takes the next unit of a role.
pub(crate) async fn take(server: &Server, instance: &str, actor: &str, name: &str) -> Value {
    let taken = checkout(server, instance, actor, name).await;
    assert_eq!(taken.status, 200, "{name}: {}", taken.body);
    taken.body
}

/// That a role has nothing to do.
pub(crate) async fn idle(server: &Server, instance: &str, name: &str) {
    assert_eq!(checkout(server, instance, ALICE, name).await.status, 204, "{name}");
}

pub(crate) async fn submit(server: &Server, actor: &str, unit: &Value, result: Value) -> Answer {
    let mut body = json!({ "uow_id": unit["uow_id"], "actor_id": actor, "result_attributes": {} });
    for (field, value) in result.as_object().unwrap() {
        body[field] = value.clone();
    }
    server.post("/workflow/submit", body).await
}

/// Hands a unit on.
pub(crate) async fn hand_on(server: &Server, actor: &str, unit: &Value, result: Value) {
    let done = submit(server, actor, unit, result).await;
    assert_eq!((done.status.as_u16(), &done.body["success"]), (200, &json!(true)), "{}", done.body);
}

pub(crate) async fn uow(server: &Server, id: &Value) -> Value {
    let found = server.get(&format!("/uows/{}", id.as_str().unwrap())).await;
    assert_eq!(found.status, 200, "{}", found.body);
    found.body
}

/// A refusal in the engine's shape.
pub(crate) fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json", "{}", answer.body);
    assert!(!answer.body["detail"].as_str().unwrap().is_empty(), "{}", answer.body);
}

/// Splits the request into parts of these totals.
async fn split(server: &Server, instance: &str, totals: &[u32]) -> Value {
    let whole = take(server, instance, ALICE, "Splitter").await;
    let parts = totals.iter().map(|total| json!({ "attributes": { "total": total } }));
    let result = json!({
        "result_attributes": { "split": true }, "reasoning": "lines",
        "children": parts.collect::<Vec<_>>(),
    });
    hand_on(server, ALICE, &whole, result).await;
    whole
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refund_desk_is_driven_to_its_end_through_ate_chronos_and_cerberus() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 300, "flagged": false })).await;
    idle(&server, &instance, "Payer").await;
    let whole = split(&server, &instance, &[50, 250, 20]).await;
    assert_eq!(whole["attributes"], json!({ "total": 300, "flagged": false }));
    assert_eq!(whole["context"], json!({}));
    assert!(whole.get("child_uows").is_none(), "what there is none of is left out");
    idle(&server, &instance, "Closer").await;

    // The first is paid, and CERBERUS holds its set.
    let small = take(&server, &instance, ALICE, "Payer").await;
    let learned = json!({ "key": "bank", "value": "slow on Fridays" });
    let result = json!({ "result_attributes": { "paid": 50, "_learned_rule": learned } });
    hand_on(&server, ALICE, &small, result).await;
    idle(&server, &instance, "Closer").await;

    // The big one is given up, and whoever mends takes it from Ate.
    let big = take(&server, &instance, BOB, "Clerk").await;
    assert_eq!(big["attributes"]["total"], 250);
    let failed = json!({
        "uow_id": big["uow_id"], "actor_id": BOB, "error_code": "NO_RECEIPT", "details": "none",
    });
    let told = server.post("/workflow/failure", failed).await;
    assert_eq!(told.status, 200, "{}", told.body);
    let standing = uow(&server, &big["uow_id"]).await;
    assert_eq!(standing["status"], "FAILED");
    assert_eq!(standing["current_interaction"], "Ate");
    let note = &standing["attributes"]["_error"];
    assert_eq!((&note["error_code"], &note["actor_id"]), (&json!("NO_RECEIPT"), &json!(BOB)));
    let mended = take(&server, &instance, BOB, "Medic").await;
    assert_eq!(mended["uow_id"], big["uow_id"]);
    hand_on(&server, BOB, &mended, json!({})).await;

    // The third one's payer falls silent, and whoever keeps time takes it from Chronos.
    let last = take(&server, &instance, ALICE, "Payer").await;
    assert_eq!(last["context"], json!({ "bank": "slow on Fridays" }), "the role remembers");
    let early = server.post("/admin/run-zombie-protocol", json!({})).await.body;
    assert_eq!(early["zombies_reclaimed"], 0, "it has 300 seconds");
    let swept = server.post("/admin/run-zombie-protocol", json!({ "timeout_seconds": 0 })).await;
    assert_eq!(swept.body["zombies_reclaimed"], 1, "{}", swept.body);
    refused(&submit(&server, ALICE, &last, json!({})).await, 409);
    let standing = uow(&server, &last["uow_id"]).await;
    assert_eq!(standing["current_interaction"], "Chronos", "{standing}");
    idle(&server, &instance, "Closer").await;
    let late = take(&server, &instance, ALICE, "Clock").await;
    hand_on(&server, ALICE, &late, json!({})).await;
    let late = take(&server, &instance, BOB, "Medic").await;
    assert_eq!(late["uow_id"], last["uow_id"]);
    hand_on(&server, BOB, &late, json!({})).await;

    // The set is whole. The actor that split it takes it again, in another role.
    let set = take(&server, &instance, ALICE, "Closer").await;
    assert_eq!(set["uow_id"], whole["uow_id"]);
    assert_eq!(set["child_uows"].as_array().unwrap().len(), 3);
    assert!(set["child_uows"].as_array().unwrap().iter().all(|one| one["status"] == "COMPLETED"));
    hand_on(&server, ALICE, &set, json!({ "result_attributes": { "closed": true } })).await;
    let end = uow(&server, &whole["uow_id"]).await;
    assert_eq!((&end["status"], &end["attributes"]["closed"]), (&json!("FINALIZED"), &json!(true)));
    let status = server.get(&format!("/workflows/{instance}/status")).await.body;
    assert_eq!(status["status"], "ACTIVE");
    assert_eq!(status["uows_by_status"], json!({ "ARCHIVED": 3, "FINALIZED": 1 }));
    assert_eq!(status["total_uows"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardian_sends_to_ate_what_it_does_not_let_pass() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 0 })).await;
    idle(&server, &instance, "Splitter").await;
    let unit = take(&server, &instance, BOB, "Medic").await;
    let note = &unit["attributes"]["_guard_rejection"];
    assert_eq!(note["error_code"], "GUARD_REJECTION", "{unit}");
    assert_eq!(note["guard_type"], "CRITERIA_GATE");
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_found_by_name_id_and_path() {
    let server = Server::new();
    let template = server.deploy(REFUND_DESK).await;
    let wanted = json!({
        "template_id": template["id"], "initial_context": { "total": 1 },
        "instance_name": "June", "instance_description": "of June",
    });
    let made = server.post("/workflow/instantiate", wanted).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let path = format!("/workflows/{}", made.body["workflow_id"].as_str().unwrap());
    let found = server.get(&path).await.body;
    assert_eq!(found["id"], made.body["workflow_id"]);
    assert_eq!(
        json!([found["name"], found["description"], found["status"]]),
        json!(["June", "of June", "ACTIVE"])
    );
    let body = json!({ "initial_context": { "total": 2 } });
    let made = server.post("/workflows/from-template/Refund_Desk", body).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let instance = made.body["workflow_id"].as_str().unwrap();
    let uows = server.get(&format!("/workflows/{instance}/uows?uow_status=PENDING")).await.body;
    assert_eq!(uows["uows"][0]["status"], "PENDING", "{uows}");
    assert_eq!(uows["uows"][0]["current_interaction"], "Requests");
    assert_eq!(uows["uows"][0]["instance_id"], made.body["workflow_id"]);
    let none = server.get(&format!("/workflows/{instance}/uows?uow_status=ACTIVE&limit=1")).await;
    assert_eq!(none.body["uows"], json!([]));
    refused(&server.get(&format!("/workflows/{instance}/uows?uow_status=lost")).await, 400);
    refused(&server.get(&format!("/workflows/{instance}/uows?limit=0")).await, 400);
    refused(&server.ask(Method::DELETE, &format!("/workflows/{instance}"), "").await, 409);

    let nothing = json!({ "template_id": "Nothing", "initial_context": {} });
    refused(&server.post("/workflow/instantiate", nothing).await, 404);
    refused(&server.post("/workflows/from-template/Nothing", json!({})).await, 404);
    for bad in [
        json!({ "template_id": "Refund_Desk" }),
        json!({ "template_id": 1, "initial_context": {} }),
        json!({ "template_id": "", "initial_context": {} }),
        json!({ "template_id": "Refund_Desk", "initial_context": [] }),
        json!({ "template_id": "Refund_Desk", "initial_context": { "": 1 } }),
        json!({ "template_id": "Refund_Desk", "initial_context": { "x": "y".repeat(2_000_000) } }),
        json!({ "template_id": "Refund_Desk", "initial_context": {}, "instance_name": "" }),
    ] {
        let answer = server.post("/workflow/instantiate", bad).await;
        assert!(matches!(answer.status.as_u16(), 400 | 413), "{}", answer.body);
    }
    refused(&server.ask(Method::POST, "/workflow/instantiate", "{").await, 400);
    // What was refused has left nothing behind.
    let store = server.house.app.engine.store();
    assert_eq!(store.instances("default", None, None, 10).unwrap().items.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_holds_a_unit_has_a_say_in_it() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    let id = unit["uow_id"].as_str().unwrap();
    let beat = format!("/workflow/uow/{id}/heartbeat");
    let alive = server.post(&beat, json!({ "actor_id": ALICE })).await;
    assert_eq!((alive.status.as_u16(), &alive.body["success"]), (200, &json!(true)));
    assert!(alive.body["timestamp"].is_string() && alive.body["message"].is_string());
    let failure = json!({ "uow_id": id, "actor_id": BOB, "error_code": "X" });
    refused(&server.post(&beat, json!({ "actor_id": BOB })).await, 409);
    refused(&submit(&server, BOB, &unit, json!({})).await, 409);
    refused(&server.post("/workflow/failure", failure).await, 409);
    let done = json!({ "actor_id": BOB });
    refused(&server.post(&format!("/uows/{id}/complete"), done).await, 409);
    idle(&server, &instance, "Splitter").await;

    let done = json!({ "actor_id": ALICE, "result_attributes": { "n": 1 } });
    let done = server.post(&format!("/uows/{id}/complete"), done).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let again = take(&server, &instance, BOB, "Payer").await;
    assert_eq!(again["uow_id"], unit["uow_id"]);
    let beat_of_alice = server.post(&beat, json!({ "actor_id": ALICE })).await;
    refused(&beat_of_alice, 409);
    // Its end may be told twice.
    for _ in 0..2 {
        hand_on(&server, BOB, &again, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_ids_are_400_and_unknown_ones_404() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    let id = unit["uow_id"].clone();
    let reason = json!({ "reason": "x" });
    let text = json!({ "text": "x" });
    for (path, body) in [
        ("/workflow/checkout", json!({ "actor_id": "x", "role_id": NOBODY })),
        ("/workflow/checkout", json!({ "actor_id": ALICE, "role_id": "Splitter" })),
        ("/workflow/checkout", json!({ "actor_id": ALICE })),
        ("/workflow/submit", json!({ "uow_id": "x", "actor_id": ALICE, "result_attributes": {} })),
        ("/workflow/submit", json!({ "uow_id": id, "actor_id": "x", "result_attributes": {} })),
        ("/workflow/submit", json!({ "uow_id": id, "actor_id": ALICE })),
        ("/workflow/submit", json!({ "uow_id": id, "actor_id": ALICE, "result_attributes": [1] })),
        (
            "/workflow/submit",
            json!({ "uow_id": id, "actor_id": ALICE, "result_attributes": { "": 1 } }),
        ),
        ("/workflow/failure", json!({ "uow_id": "x", "actor_id": ALICE, "error_code": "E" })),
        ("/workflow/failure", json!({ "uow_id": id, "actor_id": ALICE, "error_code": " " })),
        ("/workflow/failure", json!({ "uow_id": id, "actor_id": ALICE })),
        ("/workflow/uow/x/heartbeat", json!({ "actor_id": ALICE })),
        ("/uows/x/complete", json!({ "actor_id": ALICE })),
        ("/admin/mark-toxic", json!({ "memory_id": "x", "reason": "wrong" })),
        ("/admin/mark-toxic", json!({ "memory_id": NOBODY, "reason": "" })),
        ("/admin/run-memory-decay", json!({ "retention_days": -1 })),
        ("/admin/run-zombie-protocol", json!({ "timeout_seconds": "soon" })),
        ("/pilot/kill-switch", json!({ "instance_id": "x", "reason": "y" })),
        ("/pilot/kill-switch", json!({ "instance_id": instance, "reason": " " })),
        ("/pilot/clarification/x", text.clone()),
        ("/pilot/waive/x/all_home", reason.clone()),
        ("/pilot/resume/x", json!({})),
        ("/pilot/cancel/x", reason.clone()),
        ("/api/interventions/x/approve", json!({})),
    ] {
        refused(&server.post(path, body.clone()).await, 400);
    }
    for path in ["cancel", "clarification", "waive"] {
        let rule = if path == "waive" { "/all_home" } else { "" };
        let path = format!("/pilot/{path}/{}{rule}", id.as_str().unwrap());
        refused(&server.post(&path, json!({ "reason": "", "text": "" })).await, 400);
    }
    let of = |path: &str| path.replace("ID", NOBODY);
    for (path, body) in [
        ("/workflow/checkout", json!({ "actor_id": ALICE, "role_id": NOBODY })),
        (
            "/workflow/submit",
            json!({ "uow_id": NOBODY, "actor_id": ALICE, "result_attributes": {} }),
        ),
        ("/workflow/failure", json!({ "uow_id": NOBODY, "actor_id": ALICE, "error_code": "E" })),
        ("/workflow/uow/ID/heartbeat", json!({ "actor_id": ALICE })),
        ("/uows/ID/complete", json!({ "actor_id": ALICE })),
        ("/admin/mark-toxic", json!({ "memory_id": NOBODY, "reason": "wrong" })),
        ("/pilot/kill-switch", json!({ "instance_id": NOBODY, "reason": "y" })),
        ("/pilot/clarification/ID", text),
        ("/pilot/waive/ID/all_home", reason.clone()),
        ("/pilot/resume/ID", json!({})),
        ("/pilot/cancel/ID", reason),
        ("/api/interventions/ID/approve", json!({})),
        ("/api/interventions/ID/reject", json!({})),
        ("/workflows/ID/execute", json!({})),
    ] {
        refused(&server.post(&of(path), body).await, 404);
    }
    for path in ["/uows/ID", "/workflows/ID", "/workflows/ID/status", "/workflows/ID/uows"] {
        refused(&server.get(&of(path)).await, 404);
    }
    refused(&server.get("/uows/x").await, 400);
    refused(&server.get(&of("/api/interventions/ID")).await, 404);
    refused(&server.get("/api/interventions/x").await, 400);
    refused(&server.get("/api/interventions/pending?offset=x").await, 400);
    // A task that is no unit of work is none here.
    let step = "name: hand\nnodes:\n  - {id: ask, type: actor, config: {role: Payer}}\n";
    server.deploy(step).await;
    server.post("/api/v1/workflows/hand/execute", json!({})).await;
    let polled = json!({ "worker": ALICE, "roles": ["Payer"], "wait": "20s" });
    let task = server.post("/api/v1/tasks/poll", polled).await.body["tasks"][0].clone();
    let step = json!({ "uow_id": task["id"] });
    refused(&submit(&server, ALICE, &step, json!({})).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_found_whichever_instance_they_are_of() {
    let server = desk().await;
    let mut instances = Vec::new();
    for total in 1..=3 {
        instances.push(begin(&server, json!({ "total": total })).await);
    }
    // An unknown role makes all of them known; those made later are found all the same.
    let unknown = json!({ "actor_id": ALICE, "role_id": NOBODY });
    refused(&server.post("/workflow/checkout", unknown).await, 404);
    instances.push(begin(&server, json!({ "total": 4 })).await);
    for (instance, total) in instances.iter().zip(1..) {
        let unit = take(&server, instance, ALICE, "Splitter").await;
        assert_eq!(unit["attributes"]["total"], total);
    }
    // Where work enters, nobody takes it.
    idle(&server, &instances[0], "Intake").await;
    let pause = format!("/api/v1/instances/{}/pause", instances[1]);
    assert_eq!(server.post(&pause, json!({ "reason": "x" })).await.status, 200);
    refused(&checkout(&server, &instances[1], ALICE, "Payer").await, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_toxic_is_told_nobody_and_what_is_old_is_forgotten() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 300 })).await;
    split(&server, &instance, &[1, 2, 3]).await;
    let unit = take(&server, &instance, ALICE, "Payer").await;
    let learned = json!({ "key": "bank", "value": "closed" });
    hand_on(&server, ALICE, &unit, json!({ "result_attributes": { "_learned_rule": learned } }))
        .await;
    let unit = take(&server, &instance, ALICE, "Payer").await;
    assert_eq!(unit["context"], json!({ "bank": "closed" }));
    let store = server.house.app.engine.store();
    let id: Uuid = instance.parse().unwrap();
    let alice = ALICE.parse().unwrap();
    let memory = store.memories(id, "Payer", Some(alice), None).unwrap().remove(0);
    let toxic = json!({ "memory_id": memory.memory_id, "reason": "it is open" });
    let marked = server.post("/admin/mark-toxic", toxic).await;
    assert_eq!((marked.status.as_u16(), &marked.body["success"]), (200, &json!(true)));
    hand_on(&server, ALICE, &unit, json!({})).await;
    let unit = take(&server, &instance, ALICE, "Payer").await;
    assert_eq!(unit["context"], json!({}));
    let kept = server.post("/admin/run-memory-decay", json!({})).await.body;
    assert_eq!((&kept["success"], &kept["memories_deleted"]), (&json!(true), &json!(0)));
    let gone = server.post("/admin/run-memory-decay", json!({ "retention_days": 0 })).await.body;
    assert_eq!(gone["memories_deleted"], 1, "{gone}");
    assert!(store.memory(memory.memory_id).unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_steps_is_a_workflow() {
    let server = Server::new();
    let steps = json!([
        "Load",
        { "name": "Sum", "type": "noop", "config": { "output": "{{ input.n + 1 }}" } },
    ]);
    let made = server.post("/workflows", json!({ "name": "old", "steps": steps })).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(
        json!([made.body["name"], made.body["status"], made.body["description"]]),
        json!(["old", "created", null])
    );
    let id = made.body["id"].as_str().unwrap();
    let path = format!("/workflows/{id}");
    assert_eq!(server.get(&path).await.body, made.body);
    let run = server.post(&format!("{path}/execute"), json!({ "input": { "n": 1 } })).await;
    assert_eq!(run.status, 200, "{}", run.body);
    assert_eq!((&run.body["workflow_id"], &run.body["status"]), (&json!(id), &json!("running")));
    let run = format!("/api/v1/runs/{}", run.body["run_id"].as_str().unwrap());
    assert_eq!(at(&server, &run, &["succeeded"]).await["output"], 2);
    assert_eq!(server.get(&path).await.body["status"], "completed");
    assert_eq!(server.get(&format!("{path}/status")).await.body["status"], "completed");
    assert_eq!(server.get(&format!("{path}/uows")).await.body["uows"], json!([]));
    let listed = server.get("/workflows").await.body;
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["id"], id);
    let gone = server.ask(Method::DELETE, &path, "").await;
    assert_eq!(gone.status, 200, "{}", gone.body);
    refused(&server.get(&path).await, 404);
    refused(&server.ask(Method::DELETE, &path, "").await, 404);
    for bad in [
        json!({ "steps": [] }),
        json!({ "name": " ", "steps": [] }),
        json!({ "name": "old", "steps": "all" }),
        json!({ "name": "old", "steps": [7] }),
        json!({ "name": "old", "steps": [{ "type": "nonsense" }] }),
    ] {
        refused(&server.post("/workflows", bad).await, 400);
    }
    let empty =
        server.post("/workflows", json!({ "name": "empty", "more": "is passed over" })).await;
    assert_eq!(empty.status, 200, "{}", empty.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_gets_a_page_and_a_program_json() {
    let server = Server::new();
    server.deploy(ADD).await;
    for path in ["/workflows", "/workflows/add"] {
        let page = server.page(path).await;
        match path {
            "/workflows" => assert_eq!(page.header("location"), "/flows"),
            _ => assert!(page.header("content-type").starts_with("text/html"), "{path}"),
        }
        let json = server.get(path).await;
        assert_eq!(json.header("content-type"), "application/json", "{path}");
        assert_eq!((page.header("vary"), json.header("vary")), ("accept", "accept"));
    }
    assert_eq!(server.page("/").await.header("location"), "/flows");
    let root = server.get("/").await.body;
    assert_eq!((&root["name"], &root["status"]), (&json!("Windlass"), &json!("running")));
    assert!(root["version"].is_string());
    assert_eq!(server.get("/health").await.body["status"], "healthy");
}
