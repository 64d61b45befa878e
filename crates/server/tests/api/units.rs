//! A whole desk: units of work through every guardian and every kind of role.

use serde_json::{Value, json};

use crate::refund_desk::*;

/// A return of three lines, split: the base's id, and its parts' ids in their order.
async fn split(desk: &Desk, totals: [i64; 3]) -> (String, Vec<String>) {
    let base = desk.add(json!({ "attributes": { "total": 360, "customer": "c-1" } })).await;
    let task = desk.take("sam", "Splitter").await;
    assert_eq!(task["id"], base.as_str());
    let children: Vec<Value> =
        totals.iter().map(|total| json!({ "attributes": { "total": total } })).collect();
    let said = json!({ "children": children, "reasoning": "one for each line" });
    desk.done("sam", &task, said).await;
    let children = desk.uow(&base).await["children"].as_array().unwrap().iter().map(id).collect();
    (base, children)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_goes_through_the_whole_desk() {
    let desk = Desk::new().await;
    let (base, parts) = split(&desk, [50, 300, 10]).await;
    assert_eq!(desk.uow(&base).await["status"], "completed");
    assert_eq!(desk.uow(&base).await["place"], "Settled");
    assert!(desk.why(&base).await.contains("0 of 3 parts have come"), "{}", desk.why(&base).await);
    desk.finds_nothing("Closer").await;

    // Big ones wait for a clerk, small ones do not; the parts have what their parent had.
    let paid = desk.take("pia", "Payer").await;
    assert_eq!(paid["id"], parts[0].as_str());
    assert_eq!(paid["unit"]["attributes"], json!({ "total": 50, "customer": "c-1" }));
    assert_eq!(paid["unit"]["parent_id"], base.as_str());
    let seen = desk.take("ann", "Clerk").await;
    assert_eq!(
        json!([seen["kind"], seen["config"], seen["unit"]["place"], seen["unit"]["role"]]),
        json!(["unit", null, "Manual_Queue", "Clerk"])
    );
    desk.done("pia", &paid, json!({ "attributes": { "paid": true } })).await;

    // The clerk gives up: Ate, where the medic mends.
    let failed = desk.say("ann", &seen, "fail", json!({ "message": "no receipt" })).await;
    assert_eq!(failed.status, 204, "{}", failed.body);
    let unit = desk.uow(&parts[1]).await;
    assert_eq!(json!([unit["status"], unit["place"]]), json!(["failed", "Ate"]));
    assert_eq!(unit["attributes"]["_error"]["value"]["details"], "no receipt");
    assert!(desk.why(&base).await.contains("is failed"), "{}", desk.why(&base).await);
    desk.finds_nothing("Closer").await;
    let mended = desk.take("max", "Medic").await;
    assert_eq!(mended["id"], parts[1].as_str());
    desk.done("max", &mended, json!({ "attributes": { "receipt": "found" } })).await;

    // The payer of the third falls silent: Chronos, then Ate, then mended.
    let lost = desk.take_for("ghost", "Payer", "1s").await;
    assert_eq!(lost["id"], parts[2].as_str());
    let late = desk.take("tick", "Clock").await;
    assert_eq!((&late["id"], &late["unit"]["place"]), (&lost["id"], &json!("Chronos")));
    let told = desk.say("ghost", &lost, "complete", json!({ "attributes": {} })).await;
    assert_eq!(told.problem(), "lease-lost");
    desk.done("tick", &late, json!({})).await;
    let mended = desk.take("max", "Medic").await;
    assert_eq!(mended["id"], parts[2].as_str());
    desk.done("max", &mended, json!({ "attributes": { "paid": true } })).await;

    // Only now is the set whole.
    let set = desk.take("cleo", "Closer").await;
    assert_eq!(set["id"], base.as_str());
    let statuses: Vec<&Value> =
        set["unit"]["children"].as_array().unwrap().iter().map(|part| &part["status"]).collect();
    assert_eq!(statuses, ["completed"; 3]);
    desk.done("cleo", &set, json!({ "attributes": { "closed": "yes" } })).await;
    let unit = desk.uow(&base).await;
    assert_eq!((&unit["status"], &unit["finished_child_count"]), (&json!("finalized"), &json!(3)));
    assert_eq!(desk.uow(&parts[0]).await["status"], "archived");
    let run = desk.server.get(&format!("/api/v1/runs/{base}")).await.body;
    assert_eq!(run["status"], "succeeded");
    assert_eq!(run["output"]["closed"], "yes");
    let over = desk.say("cleo", &set, "heartbeat", json!({})).await;
    assert_eq!(over.problem(), "task-over");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_happened_is_told_with_who_and_why() {
    let desk = Desk::new().await;
    let (base, parts) = split(&desk, [50, 300, 10]).await;
    for _ in 0..2 {
        let task = desk.take("pia", "Payer").await;
        let said = json!({ "attributes": { "total": 49 }, "reasoning": "a discount" });
        desk.done("pia", &task, said).await;
    }
    let unit = desk.uow(&parts[0]).await;
    let total = &unit["attributes"]["total"];
    assert_eq!(
        json!([total["value"], total["version"], total["actor"], total["reasoning"]]),
        json!([49, 2, "pia", "a discount"])
    );
    assert_eq!(unit["attributes"]["customer"]["version"], 1);
    let path = format!("/api/v1/uows/{}", parts[0]);
    let versions = desk.list(&format!("{path}/attributes?name=total")).await;
    let told: Vec<_> = versions.iter().map(|one| json!([one["version"], one["value"]])).collect();
    assert_eq!(told, [json!([1, 50]), json!([2, 49])]);
    let history = desk.list(&format!("{path}/history")).await;
    let told: Vec<_> = history
        .iter()
        .map(|one| json!([one["event"], one["actor"], one["previous_status"], one["status"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["created", "sam", null, "pending"]),
            json!(["claimed", "pia", "pending", "active"]),
            json!(["submitted", "pia", "active", "completed"]),
        ]
    );
    assert_eq!(history[2]["attributes"], json!({ "total": 2 }));
    assert_eq!(history[2]["previous_hash"], history[0]["hash"]);
    assert_ne!(history[2]["hash"], history[0]["hash"]);
    assert_eq!(unit["hash"], history[2]["hash"]);

    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut next = format!("{path}/history?limit=1");
    loop {
        let page = desk.server.get(&next).await;
        paged.extend(page.body["items"].as_array().unwrap().clone());
        match page.header("link").split(['<', '>']).nth(1) {
            Some(link) => next = link.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, history);
    let all = desk.list(&format!("{path}/attributes?limit=2")).await;
    assert_eq!(all.len(), 2);

    let decisions = desk.uow(&base).await["decisions"].clone();
    assert_eq!(
        json!([decisions[0]["guardian"], decisions[0]["verdict"], decisions[0]["type"]]),
        json!(["split_in_guardian", "pass", "CRITERIA_GATE"])
    );
    let of_instance = desk.list("/api/v1/uows?instance=Desk&status=completed").await;
    assert_eq!(of_instance.len(), 3, "the base and two parts");
    let at = desk.list("/api/v1/uows?instance=Desk&place=Manual_Queue").await;
    assert_eq!(id(&at[0]), parts[1]);
    assert_eq!(desk.list(&format!("/api/v1/uows?parent={base}&limit=2")).await.len(), 2);
    let shown = desk.server.get("/api/v1/instances/Desk").await.body;
    let places = shown["workflows"][0]["interactions"].as_array().unwrap();
    let manual = places.iter().find(|one| one["name"] == "Manual_Queue").unwrap();
    assert_eq!(manual["units"], json!({ "pending": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guardian_refuses_waits_to_be_mended_or_waived() {
    let desk = Desk::new().await;
    let base = desk.add(json!({ "attributes": { "total": 0 } })).await;
    desk.finds_nothing("Splitter").await;
    let unit = desk.uow(&base).await;
    assert_eq!(json!([unit["status"], unit["place"]]), json!(["failed", "Ate"]));
    let rejection = &unit["attributes"]["_guard_rejection"]["value"];
    assert_eq!(rejection["error_code"], "GUARD_REJECTION");
    assert_eq!(unit["decisions"][0]["verdict"], "fail");
    let wrong = json!({ "guardian": "nobody", "reason": "x" });
    assert_eq!(desk.act(&base, "waive", wrong).await.problem(), "invalid-unit");
    let waive = json!({ "guardian": "split_in_guardian", "reason": "a gift" });
    let waived = desk.act(&base, "waive", waive).await;
    assert_eq!((waived.status.as_u16(), &waived.body["place"]), (200, &json!("Requests")));
    let task = desk.take("sam", "Splitter").await;
    assert_eq!(task["id"], base.as_str());
    assert_eq!(desk.uow(&base).await["waived"], json!(["split_in_guardian"]));

    // Asked for by its id, what is refused is told as such.
    let other = desk.add(json!({ "attributes": { "total": -1 } })).await;
    let path = format!("/api/v1/tasks/{other}/claim");
    let refused = desk.server.post(&path, json!({ "worker": "sam", "role": "Splitter" })).await;
    assert_eq!(refused.problem(), "unit-state");
    assert!(refused.body["detail"].as_str().unwrap().contains("`Ate`"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn pilots_stop_units_and_let_them_go_on() {
    let desk = Desk::with(|_| {}, json!({ "max_interactions": 1 })).await;
    let base = desk.add(json!({ "attributes": { "total": 1 } })).await;
    let task = desk.take("sam", "Splitter").await;
    let killed = desk.of_instance("kill-switch", json!({ "reason": "fire" })).await;
    assert_eq!(killed.body, json!({ "paused": 1 }));
    let told = desk.say("sam", &task, "complete", json!({})).await;
    assert_eq!(told.problem(), "task-over", "nobody holds it any more");
    let asked = desk.list("/api/v1/interventions?status=PENDING&instance=Desk").await;
    assert_eq!(json!([asked[0]["kind"], asked[0]["priority"]]), json!(["kill_switch", "critical"]));
    let path = format!("/api/v1/interventions/{}", id(&asked[0]));
    let approved = desk.server.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!(approved.body["status"], "APPROVED", "{}", approved.body);
    let again = desk.server.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!(again.problem(), "unit-state");

    // It was taken once, and may not be taken again before somebody explains.
    desk.finds_nothing("Splitter").await;
    assert_eq!(desk.uow(&base).await["status"], "zombied_soft");
    let asked = desk.list(&format!("/api/v1/interventions?uow={base}&kind=clarification")).await;
    let path = format!("/api/v1/interventions/{}", id(&asked[0]));
    let silent = desk.server.post(&format!("{path}/approve"), json!({})).await;
    assert_eq!(silent.problem(), "invalid-request");
    let told = desk.server.post(&format!("{path}/approve"), json!({ "reason": "as one" })).await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert_eq!(told.body["action_reason"], "as one");
    let task = desk.take("sam", "Splitter").await;
    assert_eq!(task["unit"]["attributes"]["pilot_clarification"], "as one");
    let metrics = desk.server.get("/api/v1/interventions/metrics").await.body;
    assert_eq!(metrics["by_status"], json!({ "APPROVED": 2 }));
    assert_eq!(desk.act(&base, "resume", json!({})).await.problem(), "unit-state");

    // Said no twice: stuck for good, and put away.
    desk.say("sam", &task, "release", json!({})).await;
    let task = desk.take("sam", "Splitter").await;
    desk.say("sam", &task, "release", json!({})).await;
    desk.take("sam", "Splitter").await;
    desk.of_instance("kill-switch", json!({ "reason": "again" })).await;
    let asked = desk.list("/api/v1/interventions?status=PENDING").await;
    let path = format!("/api/v1/interventions/{}/reject", id(&asked[0]));
    let rejected = desk.server.post(&path, json!({ "reason": "enough" })).await;
    assert_eq!(rejected.body["status"], "REJECTED", "{}", rejected.body);
    let unit = desk.uow(&base).await;
    assert_eq!(json!([unit["status"], unit["place"]]), json!(["failed", "Ate"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_pilots_word_waits_for_it() {
    let settings = json!({ "park": ["failed"], "park_time": "1h" });
    let desk = Desk::with(|_| {}, settings).await;
    let base = desk.add(json!({ "attributes": { "total": 5 } })).await;
    let task = desk.take("sam", "Splitter").await;
    desk.say("sam", &task, "fail", json!({ "message": "torn" })).await;
    assert_eq!(desk.uow(&base).await["status"], "pending_pilot_approval");
    assert!(desk.why(&base).await.contains("waits for a pilot (resume)"));
    let resumed = desk.act(&base, "resume", json!({})).await;
    assert_eq!(
        json!([resumed.body["status"], resumed.body["place"]]),
        json!(["failed", "Ate"]),
        "{}",
        resumed.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_actor_learns_the_role_remembers() {
    let desk = Desk::new().await;
    let rule = json!({ "key": "torn", "value": "ask for a picture" });
    for round in 0..2 {
        desk.add(json!({ "attributes": { "total": 300 } })).await;
        let task = desk.take("sam", "Splitter").await;
        let context = if round == 0 { json!({}) } else { json!({ "torn": "ask for a picture" }) };
        assert_eq!(task["unit"]["context"], context);
        desk.done("sam", &task, json!({ "attributes": { "_learned_rule": rule } })).await;
    }
    let path = "/api/v1/instances/Desk/memory?role=Splitter";
    assert_eq!(desk.list(path).await, Vec::<Value>::new(), "it is sam's own");
    let own = desk.list(&format!("{path}&actor=sam&key=TOR")).await;
    assert_eq!(json!([own[0]["key"], own[0]["confidence"]]), json!(["torn", 100]));
    assert_eq!(desk.list(&format!("{path}&actor=sam&key=x")).await.len(), 0);
}
