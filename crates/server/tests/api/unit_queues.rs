//! Who gets what, for how long, and in which order.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use windlass_server::config::QueueSection;

use crate::harness::*;
use crate::refund_desk::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_in_one_hand_at_a_time() {
    let desk = Desk::new().await;
    let base = desk.add(json!({ "attributes": { "total": 300 } })).await;
    let (one, two) = tokio::join!(
        desk.poll("one", "Splitter", json!({})),
        desk.poll("two", "Splitter", json!({}))
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 204]);
    let (holder, other) = if one.status == 200 { ("one", "two") } else { ("two", "one") };
    let answer = if one.status == 200 { one } else { two };
    let task = answer.body["tasks"][0].clone();
    let path = format!("/api/v1/tasks/{base}/claim");
    let claim = desk.server.post(&path, json!({ "worker": other })).await;
    assert_eq!(claim.problem(), "lease-lost");
    for verb in ["heartbeat", "complete", "release"] {
        assert_eq!(desk.say(other, &task, verb, json!({})).await.problem(), "lease-lost", "{verb}");
    }
    let stale = json!({ "id": task["id"], "fence": 7 });
    assert_eq!(desk.say(holder, &stale, "heartbeat", json!({})).await.problem(), "lease-lost");
    let shown = desk.uow(&base).await;
    assert_eq!(shown["lease"]["worker"], holder);
    assert_eq!(desk.say(holder, &task, "release", json!({})).await.status, 204);
    let claim = desk.server.post(&path, json!({ "worker": other, "lease": "24h" })).await;
    assert_eq!(claim.status, 200, "{}", claim.body);
    assert_eq!(
        json!([claim.body["fence"], claim.body["unit"]["role"], claim.body["attempt"]]),
        json!([2, "Splitter", 1]),
        "what was given back was not counted"
    );
    let task = desk.server.get(&format!("/api/v1/tasks/{base}")).await.body;
    assert_eq!(json!([task["holder"]["worker"], task["kind"]]), json!([other, "unit"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_goes_on_where_the_lost_one_was() {
    let desk = Desk::with(|_| {}, json!({ "zombie": "pending" })).await;
    desk.add(json!({ "attributes": { "total": 300 } })).await;
    let first = desk.take_for("ghost", "Splitter", "1s").await;
    assert_eq!(first["checkpoint"], Value::Null);
    let note = json!({ "checkpoint": { "line": 17 }, "progress": "half" });
    assert_eq!(desk.say("ghost", &first, "heartbeat", note).await.status, 200);
    let second = desk.take("sam", "Splitter").await;
    assert_eq!(second["id"], first["id"]);
    assert_eq!(second["checkpoint"], json!({ "line": 17 }));
    assert_eq!(json!([second["fence"], second["attempt"]]), json!([2, 2]));
    let late = desk.say("ghost", &first, "complete", json!({ "attributes": {} })).await;
    assert_eq!(late.problem(), "lease-lost");
    desk.done("sam", &second, json!({ "attributes": { "ok": true } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn priority_comes_first_and_keys_take_turns() {
    let desk = Desk::new().await;
    for (name, priority, key) in
        [("a1", 0, "a"), ("a2", 0, "a"), ("a3", 0, "a"), ("b1", 0, "b"), ("urgent", 9, "a")]
    {
        let attributes = json!({ "total": 300, "name": name });
        let unit = json!({ "attributes": attributes, "priority": priority, "fairness_key": key });
        desk.add(unit).await;
    }
    let taken = desk.poll("sam", "Splitter", json!({ "max": 10 })).await.body;
    let names: Vec<&Value> = taken["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["unit"]["attributes"]["name"])
        .collect();
    assert_eq!(names, ["urgent", "a1", "b1", "a2", "a3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_unit() {
    let desk = Desk::new().await;
    let path = format!("/api/v1/instances/{}/uows", desk.instance);
    let send = async |total: i64| {
        let body = json!({ "attributes": { "total": total } }).to_string();
        let request = request(Method::POST, &path).header("idempotency-key", "k1");
        desk.server.send(request.body(body.into()).unwrap()).await
    };
    let (first, again) = (send(1).await, send(1).await);
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.body["id"], again.body["id"]);
    assert_eq!(send(2).await.problem(), "key-reused");
    assert_eq!(desk.list("/api/v1/uows?instance=Desk").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_with_assignments_is_for_those_alone() {
    let desk = Desk::new().await;
    desk.add(json!({ "attributes": { "total": 300 } })).await;
    let held = desk.take("eve", "Splitter").await;
    desk.say("eve", &held, "release", json!({})).await;
    let assign = json!({ "actor": "ada", "role": "Splitter", "kind": "HUMAN" });
    let assigned = desk.of_instance("actors", assign).await;
    assert_eq!(assigned.status, 201, "{}", assigned.body);
    assert_eq!(desk.poll("eve", "Splitter", json!({})).await.problem(), "not-assigned");
    let path = format!("/api/v1/tasks/{}/claim", id(&held));
    let claim = desk.server.post(&path, json!({ "worker": "eve" })).await;
    assert_eq!(claim.problem(), "not-assigned");
    assert_eq!(desk.poll("eve", "Payer", json!({})).await.status, 204, "another role is open");
    let task = desk.take("ada", "Splitter").await;
    desk.say("ada", &task, "release", json!({})).await;
    let actors = desk.list("/api/v1/instances/Desk/actors").await;
    let ada = actors.iter().find(|one| one["identity_key"] == "ada").unwrap();
    assert_eq!(json!([ada["kind"], ada["assignments"][0]["status"]]), json!(["HUMAN", "ACTIVE"]));
    assert!(actors.iter().any(|one| one["identity_key"] == "eve"), "who came was registered");
    let path = format!("/api/v1/instances/Desk/actors/{}", id(&assigned.body));
    assert_eq!(desk.server.ask(Method::DELETE, &path, "").await.status, 204);
    desk.take("eve", "Splitter").await;
    let path = format!("/api/v1/instances/Desk/actors/{}", desk.instance);
    let unknown = desk.server.ask(Method::DELETE, &path, "").await;
    assert_eq!(unknown.problem(), "actor-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_paused_instance_is_handed_out() {
    let desk = Desk::new().await;
    desk.add(json!({ "attributes": { "total": 300 } })).await;
    let held = desk.take("sam", "Splitter").await;
    // One who waits already must not get it either.
    let waiting = desk.poll("pia", "Splitter", json!({ "wait": "30s" }));
    let story = async {
        let is_waiting = async || {
            let workers = desk.list("/api/v1/workers").await;
            workers.iter().any(|one| one["name"] == "pia" && one["polling"] == true)
        };
        while !is_waiting().await {
            tokio::task::yield_now().await;
        }
        let paused = desk.of_instance("pause", json!({ "reason": "lunch" })).await;
        assert_eq!(
            json!([paused.body["status"], paused.body["reason"]]),
            json!(["paused", "lunch"])
        );
        assert_eq!(desk.say("sam", &held, "release", json!({})).await.status, 204);
        assert_eq!(desk.poll("sam", "Splitter", json!({})).await.status, 204);
        let claim = json!({ "worker": "sam" });
        let claim = desk.server.post(&format!("/api/v1/tasks/{}/claim", id(&held)), claim).await;
        assert_eq!(claim.problem(), "instance-inactive");
        let more = desk.of_instance("uows", json!({ "attributes": { "total": 1 } })).await;
        assert_eq!(more.problem(), "instance-inactive");
        assert_eq!(desk.uow(&id(&held)).await["lease"], Value::Null);
        assert_eq!(desk.of_instance("resume", json!({})).await.body["status"], "active");
    };
    let (got, ()) = tokio::join!(waiting, story);
    assert_eq!(got.body["tasks"][0]["id"], held["id"], "{}", got.body);
    let listed = desk.list("/api/v1/instances?status=paused").await;
    assert_eq!(listed.len(), 0);
    let archived = desk.of_instance("archive", json!({})).await;
    assert_eq!(archived.body["status"], "archived");
    assert_eq!(desk.of_instance("resume", json!({})).await.problem(), "instance-inactive");
    assert_eq!(desk.poll("sam", "Splitter", json!({})).await.problem(), "instance-inactive");
    desk.done("pia", &got.body["tasks"][0], json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_hands_out_as_much_as_its_limits_let_it() {
    let desk = Desk::with(
        |config| {
            let one = QueueSection { concurrency: Some(1), rate: None };
            config.queues.insert("*".to_owned(), one);
        },
        json!({}),
    )
    .await;
    let first = desk.add(json!({ "attributes": { "total": 300 } })).await;
    let second = desk.add(json!({ "attributes": { "total": 300 } })).await;
    let taken = desk.poll("sam", "Splitter", json!({ "max": 10 })).await.body;
    assert_eq!(taken["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(taken["tasks"][0]["id"], first.as_str());
    let why = desk.why(&second).await;
    assert!(why.contains("the queue is limited: 1 of 1 are out"), "{why}");
    let claim = json!({ "worker": "pia" });
    let claim = desk.server.post(&format!("/api/v1/tasks/{second}/claim"), claim).await;
    assert_eq!(claim.problem(), "unavailable", "nor out of turn");
    let queues = desk.list("/api/v1/queues").await;
    let name = format!("{}/Refund_Desk/Requests", desk.instance);
    assert_eq!(
        json!([
            queues[0]["name"],
            queues[0]["depth"],
            queues[0]["held"],
            queues[0]["concurrency"],
            queues[0]["is_limited"]
        ]),
        json!([name, 1, 1, 1, true])
    );
    let path = format!("/api/v1/queues/{}", name.replace('/', "%2F"));
    let queue = desk.server.get(&path).await.body;
    let tasks: Vec<&Value> =
        queue["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
    assert_eq!(tasks, [first.as_str(), second.as_str()], "what is out comes first");
    desk.done("sam", &taken["tasks"][0], json!({})).await;
    assert_eq!(desk.take("pia", "Splitter").await["id"], second.as_str());
    assert_eq!(desk.server.get("/api/v1/queues/none").await.problem(), "queue-not-found");
}

const GRAPH: &str = "name: claim\nnodes:\n  - {id: ask, type: actor, config: {role: clerk, title: 'Look at \
    {{ input.what }}', input: {what: '{{ input.what }}'}, form: {type: object, properties: {ok: {type: \
    boolean}}, required: [ok]}}}\n  - {id: print, type: worker, needs: [ask], config: {queue: printers, \
    kind: shell, config: {script: lp}}}\noutput: '{{ [ask.output.ok, print.output] }}'\n";

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_a_graph_are_made_by_people_and_by_machines() {
    let server = Server::new();
    server.deploy(GRAPH).await;
    let path = "/api/v1/workflows/claim/execute";
    let run = server.post(path, json!({ "input": { "what": "a torn coat" } })).await.body;
    let poll = async |body: Value| {
        let answer = server.post("/api/v1/tasks/poll", body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["tasks"][0].clone()
    };
    let why_path = format!("/api/v1/runs/{}/why", id(&run));
    let asked = poll(json!({ "worker": "ann", "roles": ["clerk"], "wait": "20s" })).await;
    assert_eq!(json!([asked["kind"], asked["queue"]]), json!(["actor", "role:clerk"]));
    assert_eq!(asked["config"]["input"], json!({ "what": "a torn coat" }));
    let why = server.get(&why_path).await.body;
    assert!(why["steps"][0]["message"].as_str().unwrap().contains("`ann` has it"), "{why}");
    let task = server.get(&format!("/api/v1/tasks/{}", id(&asked))).await.body;
    assert_eq!(json!([task["title"], task["queue"]]), json!(["Look at a torn coat", "role:clerk"]));
    assert_eq!(task["form"]["required"], json!(["ok"]));
    let say = async |task: &Value, worker: &str, output: Value| {
        let body = json!({ "worker": worker, "fence": task["fence"], "output": output });
        server.post(&format!("/api/v1/tasks/{}/complete", id(task)), body).await
    };
    let wrong = say(&asked, "ann", json!({ "ok": "yes" })).await;
    assert_eq!(wrong.status, 422, "the form is not filled in: {}", wrong.body);
    assert_eq!(say(&asked, "ann", json!({ "ok": true })).await.status, 204);
    let printed = poll(json!({ "worker": "m1", "queues": ["printers"], "wait": "20s" })).await;
    assert_eq!(printed["config"]["kind"], "shell");
    assert_eq!(say(&printed, "m1", json!("done")).await.status, 204);
    let ended = server.get(&format!("/api/v1/runs/{}", id(&run))).await.body;
    assert_eq!(ended["output"], json!([true, "done"]), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_anew_knows_who_holds_what() {
    let desk = Desk::new().await;
    let base = desk.add(json!({ "attributes": { "total": 300 } })).await;
    let task = desk.take("sam", "Splitter").await;
    let desk = Desk { server: desk.server.restarted().await, instance: desk.instance };
    let shown = async || desk.uow(&base).await["lease"]["worker"].clone();
    let waited = async {
        while shown().await != "sam" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.unwrap();
    let told = desk.say("sam", &task, "complete", json!({ "attributes": { "ok": 1 } })).await;
    assert_eq!(told.status, 204, "{}", told.body);
    assert_eq!(desk.uow(&base).await["attributes"]["ok"]["value"], 1);
}
