//! CERBERUS, what becomes of a set, and what guardians do on the way.

use super::*;

/// The refund desk with another guardian in the place of one of its own.
fn desk_with(guardian: &str, instead: Value) -> Value {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let guardians = document["guardians"].as_array_mut().unwrap();
    let place = guardians.iter().position(|one| one["name"] == guardian).unwrap();
    for (field, value) in instead.as_object().unwrap() {
        guardians[place][field] = value.clone();
    }
    document
}

pub(super) fn start(document: Value, settings: Value, attributes: Value) -> Token {
    let name = document["workflow"]["name"].as_str().unwrap_or("Refund_Desk").to_owned();
    let mut templates = serde_json::Map::new();
    templates.insert(name.clone(), document);
    Token::of(&name, templates.into(), settings, attributes)
}

fn cerberus(config: Value) -> Value {
    desk_with("all_home", json!({ "config": config }))
}

/// A set of two parts that have both come home.
fn home(config: Value, children: [Value; 2]) -> Token {
    let attributes = json!({ "total": 300, "flagged": false });
    let mut token = start(cerberus(config), json!({}), attributes);
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), children.to_vec()).unwrap();
    for path in ["u1", "u2"] {
        let role = if token.at(path).1 == "Manual_Queue" { "Clerk" } else { "Payer" };
        token.claim(path, role).unwrap();
        token.done(path, json!({ "paid": true }), vec![]).unwrap();
    }
    token
}

fn head(token: &Token) -> Option<&'static str> {
    match token.state.why(&token.plan, Some("u0")).units.first().map(|one| one.because.clone()) {
        Some(UnitBecause::Set { head, .. }) => Some(head),
        _ => None,
    }
}

fn attributes(token: &Token, path: &str) -> Vec<String> {
    let unit = token.state.tokens().unwrap().unit(path).unwrap();
    unit.attributes.keys().map(|name| name.to_string()).collect()
}

#[test]
fn each_head_of_cerberus_holds_by_itself() {
    let mut token = split();
    assert_eq!(head(&token), Some("child"), "its parts are on their way");
    token.claim("u1", "Clerk").unwrap();
    assert_eq!(head(&token), Some("status"), "somebody works on a part");
    token.fail("u1").unwrap();
    assert_eq!(head(&token), Some("status"), "a part has failed");
    token.claim("u1", "Medic").unwrap();
    token.done("u1", json!({}), vec![]).unwrap();
    assert_eq!(head(&token), Some("child"), "one part is still to come");
    token.claim("u2", "Payer").unwrap();
    token.done("u2", json!({}), vec![]).unwrap();
    assert_eq!(head(&token), None);
    token.claim("u0", "Closer").unwrap();

    let mut bare = desk(json!({ "total": 300, "flagged": false }));
    bare.claim("u0", "Splitter").unwrap();
    bare.done("u0", json!({}), vec![]).unwrap();
    bare.claim("u0", "Clerk").unwrap();
    bare.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(head(&bare), Some("child"), "a set of the desk has a part at least");

    let lenient = cerberus(json!({ "wait_for_children": true }));
    let mut empty = start(lenient, json!({}), json!({ "total": 300, "flagged": false }));
    let settings = json!({});
    let nothing = start(cerberus(json!({ "wait_for_children": true })), settings, json!({}));
    assert_eq!(head(&nothing), None, "it has not come to the end");
    empty.claim("u0", "Splitter").unwrap();
    empty.done("u0", json!({}), vec![]).unwrap();
    empty.claim("u0", "Clerk").unwrap();
    empty.done("u0", json!({}), vec![]).unwrap();
    empty.claim("u0", "Closer").unwrap();
}

#[test]
fn a_set_may_be_too_large_and_a_pilot_may_let_it_pass() {
    let big = json!({ "total": 250 });
    let config = json!({ "wait_for_children": true, "min_children": 1, "max_children": 1 });
    let mut token = home(config, [big.clone(), big]);
    assert_eq!(head(&token), Some("child"));
    assert!(token.claim("u0", "Closer").is_err());
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "once".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.state.status, RunStatus::Succeeded);
}

#[test]
fn a_set_that_is_never_whole_is_a_case_for_who_keeps_time() {
    let config = json!({ "wait_for_children": true, "min_children": 1, "timeout_seconds": 60 });
    let attributes = json!({ "total": 300, "flagged": false });
    let mut token = start(cerberus(config), json!({}), attributes);
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![json!({ "total": 250 })]).unwrap();
    assert!(matches!(
        token.give(What::TimerFired { path: "u0".into() }),
        Err(Refused::TooEarly { .. })
    ));
    token.later("u0", 60).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
    token.claim("u0", "Clock").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Medic").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"), "it waits anew");
    token.claim("u1", "Clerk").unwrap();
    token.done("u1", json!({}), vec![]).unwrap();
    token.claim("u0", "Closer").unwrap();
}

#[test]
fn what_becomes_of_the_parts_is_for_the_template_to_say() {
    let children = || [json!({ "total": 250, "evidence": true }), json!({ "total": 50 })];
    for (disposal, kept) in
        [("archive", [true, true]), ("prune", [false, false]), ("selective", [true, false])]
    {
        let config =
            json!({ "wait_for_children": true, "disposal": disposal, "keep": ["evidence"] });
        let mut token = home(config, children());
        token.claim("u0", "Closer").unwrap();
        token.done("u0", json!({}), vec![]).unwrap();
        assert_eq!(token.at("u0").0, UnitStatus::Finalized);
        for (path, is_kept) in ["u1", "u2"].into_iter().zip(kept) {
            assert_eq!(token.at(path).0, UnitStatus::Archived, "{disposal} {path}");
            assert_eq!(!attributes(&token, path).is_empty(), is_kept, "{disposal} {path}");
        }
        let output = token.state.output.clone().unwrap();
        assert_eq!(
            output["_children"][0]["attributes"]["total"], 250,
            "{disposal}: it was gathered"
        );
    }
}

#[test]
fn a_filter_sends_a_unit_by_the_value_of_an_attribute() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let guardians = document["guardians"].as_array_mut().unwrap();
    for guardian in guardians.iter_mut().take(2) {
        guardian["type"] = "DIRECTIONAL_FILTER".into();
        guardian["config"] = json!({
            "routing_key": "kind", "routes": { "odd": "Manual_Queue", "plain": "Line_Queue" },
        });
    }
    for (kind, place) in [
        ("odd", (UnitStatus::Pending, "Manual_Queue")),
        ("plain", (UnitStatus::Pending, "Line_Queue")),
        ("strange", (UnitStatus::Failed, "Ate")),
    ] {
        let attributes = json!({ "total": 10, "flagged": false, "kind": kind });
        let mut token = start(document.clone(), json!({}), attributes);
        token.claim("u0", "Splitter").unwrap();
        token.done("u0", json!({}), vec![]).unwrap();
        assert_eq!(token.at("u0"), place, "{kind}");
    }
}

#[test]
fn an_injector_tells_whoever_takes_a_unit_and_the_last_model_counts() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let rule = |condition: &str, payload: Value| json!({ "condition": condition, "action": "mutate", "payload": payload });
    document["guardians"].as_array_mut().unwrap().push(json!({
        "name": "briefing", "component_name": "pay_in", "type": "CONDITIONAL_INJECTOR",
        "config": {
            "scope": "pre_execution", "allowed_models": ["small", "large"], "failover_model": "safe",
            "rules": [
                rule("total > 5", json!({ "model_override": "small", "instructions": "be brief", "knowledge_fragments": ["vat"] })),
                rule("not flagged", json!({ "model_override": "huge", "instructions": "be kind", "knowledge_fragments": ["vat", "law"] })),
                rule("total > 5000", json!({ "model_override": "large" })),
            ],
        },
    }));
    let mut token = start(document, json!({}), json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    let unit = token.state.tokens().unwrap().unit("u0").unwrap();
    let injected = &unit.injected;
    assert_eq!(injected.model_id.as_deref(), Some("safe"), "`huge` may not be used");
    assert_eq!(injected.instructions.as_deref(), Some("be kind\n\nbe brief"));
    assert_eq!(injected.fragments, [json!("vat"), json!("law")]);
    assert_eq!(injected.audit.len(), 2);
    assert_eq!(injected.audit[1]["failover_used"], true);
    token.done("u0", json!({}), vec![]).unwrap();
    let unit = token.state.tokens().unwrap().unit("u0").unwrap();
    assert_eq!(unit.injected.instructions, None, "it was for whoever took it then");
    assert_eq!(unit.injected.audit.len(), 2, "what was done stays known");
}

#[test]
fn parts_get_what_their_parent_says_may_be_handed_on() {
    let mut token = desk(json!({ "total": 300, "flagged": false, "secret": 1, "_note": 2 }));
    token.claim("u0", "Splitter").unwrap();
    let all = token.clone();
    token.done("u0", json!({ "_transferable": ["total", "flagged"] }), vec![json!({})]).unwrap();
    assert_eq!(attributes(&token, "u1"), ["flagged", "total"]);
    let mut token = all;
    token.done("u0", json!({}), vec![json!({ "own": 1 })]).unwrap();
    assert_eq!(attributes(&token, "u1"), ["flagged", "own", "secret", "total"]);
}

#[test]
fn parts_of_one_kind_are_alike_and_of_several_may_differ() {
    // The desk's splitter is HOMOGENEOUS, its clerk HETEROGENEOUS: either splits, each part on the way
    // that its own attributes say.
    for (role, total) in [("Splitter", 300), ("Clerk", 300)] {
        let mut token = desk(json!({ "total": total, "flagged": false }));
        token.claim("u0", "Splitter").unwrap();
        if role == "Clerk" {
            token.done("u0", json!({}), vec![]).unwrap();
            token.claim("u0", "Clerk").unwrap();
        }
        let parts = vec![json!({ "total": 1 }), json!({ "total": 2, "extra": "x" })];
        token.done("u0", json!({}), parts).unwrap();
        let places = [token.at("u1").1, token.at("u2").1];
        let expected = if role == "Clerk" { "Settled" } else { "Line_Queue" };
        assert_eq!(places, [expected; 2]);
        assert_eq!(token.state.tokens().unwrap().unit("u0").unwrap().children.len(), 2);
    }
    let mut token = desk(json!({ "total": 0, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.claim("u0", "Medic").unwrap();
    let split = token.done("u0", json!({}), vec![json!({})]);
    assert!(matches!(split, Err(Refused::BadUnit(_))), "who mends does not split: {split:?}");
}

#[test]
fn what_was_changed_behind_the_journal_goes_nowhere() {
    let mut token = split();
    token.tamper("u1");
    token.claim("u1", "Clerk").unwrap();
    assert_eq!(token.at("u1").0, UnitStatus::FailedSecurityBreach);
    assert!(token.claim("u1", "Clerk").is_err());
    assert_eq!(head(&token), Some("child"), "its set is never whole without a pilot's word");

    let mut token = split();
    token.claim("u1", "Clerk").unwrap();
    token.tamper("u1");
    token.done("u1", json!({ "paid": true }), vec![]).unwrap();
    assert_eq!(
        token.at("u1").0,
        UnitStatus::FailedSecurityBreach,
        "what was handed in counts no more"
    );
    assert_eq!(token.value("u1", "paid"), Value::Null);
}

#[test]
fn what_nobody_takes_in_time_is_stale() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let places = document["interactions"].as_array_mut().unwrap();
    places.iter_mut().find(|one| one["name"] == "Line_Queue").unwrap()["stale_token_limit_seconds"] =
        90.into();
    let mut token = start(document, json!({}), json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    let mut taken = token.clone();
    token.later("u0", 90).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));

    taken.later("u0", 89).unwrap_err();
    taken.claim("u0", "Payer").unwrap();
    assert!(matches!(taken.later("u0", 1), Err(Refused::NotWaiting(_))), "somebody has it");
    taken.task("u0", TaskAct::Release { hold: hold("ada") }).unwrap();
    taken.later("u0", 1).unwrap();
    assert_eq!(taken.at("u0"), (UnitStatus::Failed, "Chronos"), "its time went on");
}

#[test]
fn a_lost_actor_may_be_no_failure() {
    let settings = json!({ "zombie": "pending" });
    let mut token = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.task("u0", TaskAct::Lost { fence: 1 }).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Pending, "Requests"));
    token.claim("u0", "Splitter").unwrap();
    let stale = TaskAct::Lost { fence: 1 };
    assert!(
        matches!(token.task("u0", stale), Err(Refused::NotHolder(_))),
        "that was another handing over"
    );
    assert_eq!(token.state.tokens().unwrap().unit("u0").unwrap().fence, 2);
}

#[test]
fn who_helps_a_unit_at_the_end_does_not_take_it_past_cerberus() {
    let settings = json!({ "park": ["completed"], "park_time": "300s", "retry_after": "10s" });
    let parked = || {
        let attributes = json!({ "total": 300, "flagged": false });
        let mut token = Token::start(REFUND_DESK, settings.clone(), attributes);
        token.claim("u0", "Splitter").unwrap();
        token.done("u0", json!({}), vec![json!({ "total": 50 })]).unwrap();
        token.later("u0", 300).unwrap();
        assert_eq!(token.at("u0"), (UnitStatus::ZombiedSoft, "Settled"));
        token
    };
    let mut clarified = parked();
    clarified.pilot("u0", PilotAct::Clarify { text: "go on".into() }).unwrap();
    let mut retried = parked();
    retried.later("u0", 10).unwrap();
    for mut token in [clarified, retried] {
        assert_eq!(token.at("u0"), (UnitStatus::Completed, "Settled"));
        assert!(token.claim("u0", "Closer").is_err(), "its part is still to come");
        token.claim("u1", "Payer").unwrap();
        token.done("u1", json!({}), vec![]).unwrap();
        token.pilot("u1", PilotAct::Resume).unwrap();
        token.claim("u0", "Closer").unwrap();
    }
}

#[test]
fn only_a_waiver_of_cerberus_itself_lets_a_set_pass_that_is_not_whole() {
    let mut token = split();
    token
        .pilot("u0", PilotAct::Waive { rule: "fast_default".into(), reason: "no".into() })
        .unwrap();
    assert!(token.claim("u0", "Closer").is_err());
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "yes".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
}

#[test]
fn what_has_come_to_its_own_end_is_not_archived_with_its_set() {
    let mut token = split();
    token.tamper("u1");
    token.claim("u1", "Clerk").unwrap();
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "seen".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u1").0, UnitStatus::FailedSecurityBreach);
    assert_eq!(token.at("u2").0, UnitStatus::Archived);
}

#[test]
fn each_way_into_omega_has_a_cerberus_of_its_own() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    document["interactions"].as_array_mut().unwrap().push(json!({ "name": "Filed" }));
    let components = document["components"].as_array_mut().unwrap();
    let out = components.iter_mut().find(|one| one["name"] == "clerk_out").unwrap();
    out["interaction"] = "Filed".into();
    components.push(json!({
        "name": "file_in", "role": "Closer", "interaction": "Filed", "direction": "INBOUND",
        "guardian": { "name": "alone", "type": "CERBERUS", "config": {
            "wait_for_children": true, "max_children": 0, "timeout_seconds": 60 } },
    }));
    let mut token = start(document, json!({}), json!({ "total": 300, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    let mut parted = token.clone();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Clerk").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Filed"));
    token.claim("u0", "Closer").unwrap();

    parted.done("u0", json!({}), vec![json!({ "total": 5 })]).unwrap();
    assert!(matches!(parted.later("u0", 60), Err(Refused::TooEarly { .. })), "not its time");
    parted.claim("u1", "Payer").unwrap();
    parted.done("u1", json!({}), vec![]).unwrap();
    parted.claim("u0", "Closer").unwrap();
}

#[test]
fn a_set_of_which_a_part_is_lost_for_good_is_a_case_for_who_keeps_time() {
    let mut token = split();
    token.tamper("u1");
    token.claim("u1", "Clerk").unwrap();
    assert_eq!(token.at("u1").0, UnitStatus::FailedSecurityBreach);
    assert!(matches!(token.later("u0", 3_599), Err(Refused::TooEarly { .. })));
    token.later("u0", 1).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
}

#[test]
fn a_base_without_the_parts_it_needs_is_a_case_for_who_keeps_time() {
    let mut token = desk(json!({ "total": 50, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(head(&token), Some("child"), "the desk wants a part at least");
    token.later("u0", 3_600).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
}

#[test]
fn a_waived_cerberus_still_says_what_becomes_of_the_parts() {
    let mut token = start(
        cerberus(json!({ "wait_for_children": true, "disposal": "prune" })),
        json!({}),
        json!({ "total": 300, "flagged": false }),
    );
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![json!({ "total": 50 })]).unwrap();
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "once".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(attributes(&token, "u1"), Vec::<String>::new());
}
