//! The window of the chameleon engine, as pilots use it.

use axum::http::Method;
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_engine::NewRun;
use windlass_engine::shard::{Answer as Said, id_in};
use windlass_store::{InstanceRow, NewInstance};

use crate::access::{SECRET, token};
use crate::chameleon::*;
use crate::harness::*;
use crate::socket::Socket;

/// An instance whose units stop for pilots, and a unit in it.
async fn strict(server: &Server, settings: Value, attributes: Value) -> (String, Value) {
    let made = begin(server, json!({ "total": 1 })).await;
    let engine = &server.house.app.engine;
    let made: Uuid = made.parse().unwrap();
    let row = engine.store().instance("default", &made.to_string()).unwrap().unwrap();
    let source = engine.store().definition(made).unwrap().unwrap().source;
    let mut document: Value = serde_json::from_str(&source).unwrap();
    document["settings"] = settings;
    let instance_id = windlass_engine::ids::new_id(engine.clock().now());
    let new = NewInstance {
        row: InstanceRow { instance_id, name: "strict".to_owned(), ..row },
        definition: document.to_string(),
        content_hash: "strict".to_owned(),
    };
    engine.store().create_instance(&new).unwrap();
    let run = NewRun {
        begins_paused: false,
        plan: engine.definitions().plan(instance_id).unwrap(),
        workflow_id: instance_id,
        version: 1,
        definition_id: instance_id,
        input: attributes,
        labels: Default::default(),
        external_id: None,
        rerun_of: None,
        priority: None,
        is_paused: false,
        by: None,
        reused: Default::default(),
        key: None,
        unit: Some(Default::default()),
    };
    let Said::Run(view) = engine.create("default", run).await else { panic!("no run") };
    (instance_id.to_string(), json!(view.run_id))
}

/// What waits for a pilot.
async fn waiting(server: &Server) -> Vec<Value> {
    let found = server.get("/api/interventions/pending").await;
    assert_eq!(found.status, 200, "{}", found.body);
    found.body.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pilot_stops_an_instance_and_lets_it_go_on() {
    let server = desk().await;
    let instance = begin(&server, json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    let id = unit["uow_id"].as_str().unwrap();
    refused(&server.post(&format!("/pilot/resume/{id}"), json!({})).await, 409);
    let kill = json!({ "instance_id": instance, "reason": "fire" });
    let killed = server.post("/pilot/kill-switch", kill).await;
    assert_eq!(killed.body["paused_uow_count"], 1, "{}", killed.body);
    assert_eq!(uow(&server, &unit["uow_id"]).await["status"], "PAUSED");
    refused(&submit(&server, ALICE, &unit, json!({})).await, 409);
    let asked = waiting(&server).await.remove(0);
    assert_eq!(
        json!([asked["intervention_type"], asked["priority"], asked["status"], asked["uow_id"]]),
        json!(["kill_switch", "critical", "PENDING", id])
    );
    let resumed = server.post(&format!("/pilot/resume/{id}"), json!({})).await;
    assert_eq!(resumed.body["new_status"], "ACTIVE", "{}", resumed.body);
    assert!(waiting(&server).await.is_empty());
    let path = format!("/api/interventions/{}", asked["request_id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.body["status"], "APPROVED");
    refused(&server.post(&format!("{path}/reject"), json!({})).await, 409);
    take(&server, &instance, BOB, "Splitter").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pilot_waives_a_guardian_by_its_name_or_its_id() {
    let server = desk().await;
    for by_id in [false, true] {
        let instance = begin(&server, json!({ "total": 0 })).await;
        idle(&server, &instance, "Splitter").await;
        let path = format!("/workflows/{instance}/uows");
        let unit = server.get(&path).await.body["uows"][0].clone();
        assert_eq!(
            (&unit["status"], &unit["current_interaction"]),
            (&json!("FAILED"), &json!("Ate"))
        );
        let rule = match by_id {
            true => {
                let name = "guardian/Refund_Desk/split_in_guardian";
                id_in(instance.parse().unwrap(), name).to_string()
            }
            false => "split_in_guardian".to_owned(),
        };
        let path = format!("/pilot/waive/{}/{rule}", unit["uow_id"].as_str().unwrap());
        let waived = server.post(&path, json!({ "reason": "a gift" })).await;
        assert_eq!(waived.body["waiver_logged"], true, "{}", waived.body);
        let taken = take(&server, &instance, ALICE, "Splitter").await;
        assert_eq!(taken["uow_id"], unit["uow_id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_unit_is_explained_and_a_parked_one_let_through_or_not() {
    let server = desk().await;
    // Taken once, it is stuck before the next stage.
    let (instance, id) =
        strict(&server, json!({ "max_interactions": 1 }), json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    assert_eq!(unit["uow_id"], id);
    hand_on(&server, ALICE, &unit, json!({})).await;
    idle(&server, &instance, "Payer").await;
    assert_eq!(uow(&server, &id).await["status"], "ZOMBIED_SOFT");
    let path = format!("/pilot/clarification/{}", id.as_str().unwrap());
    let clear = server.post(&path, json!({ "text": "pay it" })).await;
    assert_eq!(clear.body["new_status"], "ACTIVE", "{}", clear.body);
    let unit = take(&server, &instance, ALICE, "Payer").await;
    assert_eq!(unit["attributes"]["pilot_clarification"], "pay it");

    // What fails waits for a word: one is let through, one is not.
    let park = json!({ "park": ["failed"] });
    for is_let in [true, false] {
        let (instance, id) = strict(&server, park.clone(), json!({ "total": 5 })).await;
        let unit = take(&server, &instance, ALICE, "Splitter").await;
        let failed =
            json!({ "uow_id": id, "actor_id": ALICE, "error_code": "E", "details": { "a": 1 } });
        assert_eq!(server.post("/workflow/failure", failed).await.status, 200);
        assert_eq!(uow(&server, &unit["uow_id"]).await["status"], "PENDING_PILOT_APPROVAL");
        let verb = if is_let { "resume" } else { "cancel" };
        let path = format!("/pilot/{verb}/{}", id.as_str().unwrap());
        let said = server.post(&path, json!({ "reason": "no" })).await;
        assert_eq!(said.body["new_status"], "FAILED", "{}", said.body);
        refused(&server.post(&path, json!({ "reason": "no" })).await, 409);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_to_pilots_are_listed_counted_and_answered() {
    let server = desk().await;
    let park = json!({ "park": ["failed"], "max_interactions": 1 });
    let (instance, parked) = strict(&server, park.clone(), json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    let failed = json!({ "uow_id": unit["uow_id"], "actor_id": ALICE, "error_code": "E" });
    assert_eq!(server.post("/workflow/failure", failed).await.status, 200);
    let (instance, stuck) = strict(&server, park, json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    hand_on(&server, ALICE, &unit, json!({})).await;
    idle(&server, &instance, "Payer").await;
    let asked = waiting(&server).await;
    let kinds: Vec<_> = asked.iter().map(|one| &one["intervention_type"]).collect();
    assert_eq!(kinds, ["resume", "clarification"], "the more urgent first");
    assert_eq!((&asked[0]["uow_id"], &asked[1]["uow_id"]), (&parked, &stuck));
    assert_eq!(asked[0]["required_role"], "OPERATOR");
    let second = server.get("/api/interventions/pending?limit=1&offset=1").await.body;
    assert_eq!(second.as_array().unwrap().len(), 1);
    assert_eq!(second[0]["request_id"], asked[1]["request_id"]);
    let of_nobody = server.get("/api/interventions/pending?pilot_id=nobody").await.body;
    assert_eq!(of_nobody.as_array().unwrap().len(), 2, "what is nobody's is everybody's");

    let path = |one: &Value| format!("/api/interventions/{}", one["request_id"].as_str().unwrap());
    let unclear = server.post(&format!("{}/approve", path(&asked[1])), json!({})).await;
    refused(&unclear, 400);
    let clear = format!("{}/approve?action_reason=pay%20it", path(&asked[1]));
    let granted = server.post(&clear, json!({})).await.body;
    assert_eq!(
        json!([granted["status"], granted["action_reason"], granted["assigned_to"]]),
        json!(["APPROVED", "pay it", "local"])
    );
    let no = format!("{}/reject?action_reason=too%20late", path(&asked[0]));
    assert_eq!(server.post(&no, json!({})).await.body["status"], "REJECTED");
    let metrics = server.get("/api/interventions/metrics").await.body;
    assert_eq!(
        json!([
            metrics["total_interventions"],
            metrics["pending_interventions"],
            metrics["approved_interventions"],
            metrics["rejected_interventions"],
            metrics["by_type"],
            metrics["top_pilots"],
        ]),
        json!([
            2, 0, 1, 1,
            { "clarification": 1, "resume": 1 },
            [{ "pilot_id": "local", "interventions": 2 }],
        ])
    );
    assert!(metrics["avg_resolution_time_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(metrics["by_priority"], json!({ "high": 1, "normal": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn pilots_are_told_over_a_socket() {
    let server = desk().await;
    let mut socket = Socket::open(&server, "/ws/interventions", &[]).await.unwrap();
    let ask = async |socket: &mut Socket, type_: &str, payload: Value| -> Value {
        socket.say(json!({ "type": type_, "payload": payload })).await;
        serde_json::from_str(&socket.next().await.unwrap()).unwrap()
    };
    let odd = ask(&mut socket, "sing", json!({})).await;
    assert_eq!(
        (&odd["success"], &odd["error"]["code"]),
        (&json!(false), &json!("UNKNOWN_MESSAGE"))
    );
    socket.say("no JSON").await;
    let odd: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(odd["error"]["code"], "UNKNOWN_MESSAGE");
    let unknown = ask(&mut socket, "request_detail", json!({ "request_id": NOBODY })).await;
    assert_eq!(unknown["error"]["code"], "intervention-not-found");
    let subscribed = ask(&mut socket, "subscribe", json!({ "pilot_id": "ada" })).await;
    assert_eq!(subscribed["data"]["subscribed"], true, "{subscribed}");

    let instance = begin(&server, json!({ "total": 5 })).await;
    let unit = take(&server, &instance, ALICE, "Splitter").await;
    let kill = json!({ "instance_id": instance, "reason": "fire" });
    assert_eq!(server.post("/pilot/kill-switch", kill).await.status, 200);
    let news: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(news["type"], "new_request", "{news}");
    assert_eq!(news["payload"]["uow_id"], unit["uow_id"]);
    let request_id = &news["payload"]["request_id"];
    let all: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(
        json!([all["type"], all["payload"]["total"], all["payload"]["requests"][0]["request_id"]]),
        json!(["pending_requests", 1, request_id])
    );
    let counts: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(
        (&counts["type"], &counts["payload"]["pending_interventions"]),
        (&json!("metrics_update"), &json!(1))
    );
    let detail = ask(&mut socket, "request_detail", json!({ "request_id": request_id })).await;
    assert_eq!(detail["data"]["title"], news["payload"]["title"]);
    let found = ask(&mut socket, "get_pending", json!({ "limit": 10 })).await;
    assert_eq!((&found["data"]["total"], &found["data"]["count"]), (&json!(1), &json!(1)));
    assert_eq!(&found["data"]["requests"][0]["request_id"], request_id);
    let counted = ask(&mut socket, "get_metrics", Value::Null).await;
    assert_eq!(counted["data"]["pending_interventions"], 1, "{counted}");

    let path = format!("/api/interventions/{}/approve", request_id.as_str().unwrap());
    assert_eq!(server.post(&path, json!({})).await.status, 200);
    let news: Value = serde_json::from_str(&socket.next().await.unwrap()).unwrap();
    assert_eq!(
        (&news["type"], &news["payload"]["status"]),
        (&json!("status_changed"), &json!("APPROVED"))
    );
    let origin = [("origin", "http://elsewhere".to_owned())];
    let odd = Socket::open(&server, "/ws/interventions", &origin).await;
    assert_eq!(odd.err(), Some(403));
    assert_eq!(server.get("/ws/interventions").await.problem(), "bad-parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_say_what_a_pilot_may() {
    let server = Server::with(|config| config.access.jwt_secret = Some(SECRET.into()));
    let now = server.house.app.engine.clock().now().micros() / 1_000_000;
    let of = |role: &str| {
        let claims = json!({ "sub": "ada", "role": role, "iat": now, "exp": now + 600 });
        token(json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET.as_bytes())
    };
    let ask = async |key: &str, path: &str, body: Value| {
        server.ask_as(key, Method::POST, path, body.to_string()).await.status.as_u16()
    };
    let kill = json!({ "instance_id": NOBODY, "reason": "fire" });
    let reason = json!({ "reason": "x", "text": "x" });
    let clear = format!("/pilot/clarification/{NOBODY}");
    let waive = format!("/pilot/waive/{NOBODY}/rule");
    let resume = format!("/pilot/resume/{NOBODY}");
    let cancel = format!("/pilot/cancel/{NOBODY}");
    // 404 is for those who may: there is none of these.
    for (role, statuses) in [
        ("ADMIN", [404, 404, 404, 404, 404]),
        ("OPERATOR", [403, 404, 403, 404, 404]),
        ("VIEWER", [403, 403, 403, 403, 403]),
    ] {
        let key = of(role);
        let told = [
            ask(&key, "/pilot/kill-switch", kill.clone()).await,
            ask(&key, &clear, reason.clone()).await,
            ask(&key, &waive, reason.clone()).await,
            ask(&key, &resume, json!({})).await,
            ask(&key, &cancel, reason.clone()).await,
        ];
        assert_eq!(told, statuses, "{role}");
        assert_eq!(server.get_as(&key, "/api/interventions/pending").await.status, 200);
    }
    let gone = json!({ "sub": "ada", "role": "ADMIN", "iat": now - 900, "exp": now - 600 });
    let gone = token(json!({ "alg": "HS256", "typ": "JWT" }), gone, SECRET.as_bytes());
    assert_eq!(ask(&gone, "/pilot/kill-switch", kill.clone()).await, 401);
    let nobody = server.post("/pilot/kill-switch", kill).await;
    assert_eq!(nobody.problem(), "unauthenticated", "a program is not sent to a page");
    assert!(nobody.body["detail"].is_string());
}
