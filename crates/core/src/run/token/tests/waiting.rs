//! How long units wait, and which questions stay open.

use super::guardians::start;
use super::*;

/// The desk, where everything is stale after a while.
fn impatient() -> Token {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let places = document["interactions"].as_array_mut().unwrap();
    for (place, limit) in places.iter_mut().zip([90, 90, 90, 600, 60, 30]) {
        place["stale_token_limit_seconds"] = limit.into();
    }
    start(document, json!({ "retry_after": "5m" }), json!({ "total": 300, "flagged": false }))
}

#[test]
fn whoever_waits_to_be_mended_is_stale_too() {
    let mut token = impatient();
    token.claim("u0", "Splitter").unwrap();
    token.fail("u0").unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Ate"));
    token.later("u0", 60).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
    assert!(matches!(token.later("u0", 29), Err(Refused::TooEarly { .. })));
    let mut taken = token.clone();
    token.later("u0", 1).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::ZombiedSoft, "Chronos"), "nobody is left but pilots");

    taken.claim("u0", "Clock").unwrap();
    assert!(matches!(taken.later("u0", 1), Err(Refused::NotWaiting(_))), "somebody has it");
    taken.lose("u0").unwrap();
    taken.later("u0", 30).unwrap();
    assert_eq!(taken.at("u0"), (UnitStatus::ZombiedSoft, "Chronos"));
}

#[test]
fn whoever_was_let_go_on_is_stale_too() {
    let mut token = impatient();
    token.claim("u0", "Splitter").unwrap();
    token.pilot("", PilotAct::Kill { reason: "fire".into() }).unwrap();
    token.pilot("u0", PilotAct::Resume).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Active, "Requests"));
    token.later("u0", 90).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
}

#[test]
fn a_set_that_nobody_closes_is_stale_too() {
    let mut token = impatient();
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![json!({ "total": 5 })]).unwrap();
    token.claim("u1", "Payer").unwrap();
    token.done("u1", json!({}), vec![]).unwrap();
    token.later("u0", 600).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
    assert_eq!(token.unit("u0").reason.as_deref(), Some("stale"));
}

#[test]
fn a_unit_that_was_parked_is_stale_where_it_waits_then() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let places = document["interactions"].as_array_mut().unwrap();
    places.iter_mut().find(|one| one["name"] == "Ate").unwrap()["stale_token_limit_seconds"] =
        60.into();
    let settings = json!({ "park": ["failed"] });
    let mut token = start(document, settings, json!({ "total": 300, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.fail("u0").unwrap();
    token.pilot("u0", PilotAct::Resume).unwrap();
    token.later("u0", 60).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
}

#[test]
fn taking_a_unit_for_a_moment_gives_it_no_more_time() {
    let mut token = impatient();
    let wait =
        |token: &mut Token, seconds| token.now = token.now.plus(Duration::from_secs(seconds));
    for _ in 0..2 {
        wait(&mut token, 40);
        token.claim("u0", "Splitter").unwrap();
        wait(&mut token, 1_000);
        token.release("u0").unwrap();
    }
    assert!(matches!(token.later("u0", 9), Err(Refused::TooEarly { .. })));
    token.later("u0", 1).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Chronos"));
}

/// A set of which a part asks a pilot something.
fn asking() -> Token {
    let settings = json!({ "max_interactions": 1 });
    let attributes = json!({ "total": 300, "flagged": false });
    let mut token = Token::start(REFUND_DESK, settings, attributes);
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![json!({ "total": 5 })]).unwrap();
    token.claim("u1", "Payer").unwrap();
    token.release("u1").unwrap();
    token.claim("u1", "Payer").unwrap();
    token.fail("u1").unwrap();
    token.claim("u1", "Medic").unwrap();
    assert_eq!(token.at("u1").0, UnitStatus::ZombiedSoft);
    assert!(token.unit("u1").ask.is_some());
    token
}

#[test]
fn nothing_is_asked_of_pilots_about_what_is_over() {
    let mut cancelled = asking();
    cancelled.give(What::Cancel { by: "ada".into(), reason: None }).unwrap();
    let mut tampered = asking();
    tampered.tamper("u1");
    tampered.pilot("u1", PilotAct::Clarify { text: "so".into() }).unwrap();
    assert_eq!(tampered.at("u1").0, UnitStatus::FailedSecurityBreach);
    let mut closed = asking();
    let waive = PilotAct::Waive { rule: "all_home".into(), reason: "now".into() };
    closed.pilot("u0", waive).unwrap();
    closed.pilot("u0", PilotAct::Clarify { text: "go on".into() }).unwrap_err();
    closed.claim("u0", "Closer").unwrap();
    // It was taken before, so that the pilots have to let it through.
    closed.pilot("u0", PilotAct::Clarify { text: "go on".into() }).unwrap();
    closed.claim("u0", "Closer").unwrap();
    closed.done("u0", json!({}), vec![]).unwrap();
    for token in [cancelled, tampered, closed] {
        assert!(token.unit("u1").ask.is_none());
        let last = token.changes("u1").last().unwrap().answered.clone();
        assert_eq!(last.as_deref(), Some("expired"), "{:?}", token.at("u1"));
    }
}

#[test]
fn a_guardian_on_a_way_out_says_why_and_may_be_waived() {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    document["guardians"].as_array_mut().unwrap().push(json!({
        "name": "is_paid", "component_name": "pay_out", "type": "CRITERIA_GATE",
        "config": { "field": "paid", "operator": "EQ", "threshold": true },
    }));
    let mut token = start(document, json!({}), json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token.claim("u0", "Payer").unwrap();
    let mut waived = token.clone();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Ate"));
    let error = token.value("u0", "_error");
    let closed = &error["closed"][0];
    assert_eq!(error["error_code"], "NO_ROUTE");
    assert_eq!(closed["guardian"], "is_paid");
    assert_eq!(
        (&closed["component"], &closed["interaction"]),
        (&json!("pay_out"), &json!("Settled"))
    );
    assert!(closed["message"].as_str().unwrap().contains("paid"), "{closed}");
    let details = token.changes("u0").last().unwrap().details.clone().unwrap();
    assert_eq!(details["closed"], error["closed"]);

    waived.pilot("", PilotAct::Kill { reason: "look".into() }).unwrap();
    waived.pilot("u0", PilotAct::Waive { rule: "is_paid".into(), reason: "cash".into() }).unwrap();
    waived.claim("u0", "Payer").unwrap();
    waived.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(waived.at("u0"), (UnitStatus::Completed, "Settled"));
}
