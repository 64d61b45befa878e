//! What actors and guardians leave behind has an end.

use super::guardians::start;
use super::*;
use crate::limits::PAYLOAD_BYTES_MAX;

/// The desk, whose payer is told something by two rules.
fn briefed() -> Value {
    let mut document = check(REFUND_DESK, &Kinds::pure()).document.unwrap();
    let rule = |payload: Value| json!({ "condition": "total > 5", "action": "mutate", "payload": payload });
    document["guardians"].as_array_mut().unwrap().push(json!({
        "name": "briefing", "component_name": "pay_in", "type": "CONDITIONAL_INJECTOR",
        "config": {
            "scope": "pre_execution", "allowed_models": ["small"],
            "rules": [
                rule(json!({ "model_override": "small", "instructions": "be brief" })),
                rule(json!({ "instructions": "be kind", "knowledge_fragments": ["law"] })),
            ],
        },
    }));
    document
}

fn at_payer() -> Token {
    let mut token = start(briefed(), json!({}), json!({ "total": 10, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    token
}

#[test]
fn what_is_injected_is_for_one_holder() {
    let mut token = at_payer();
    for _ in 0..60 {
        token.claim("u0", "Payer").unwrap();
        let injected = &token.unit("u0").injected;
        assert_eq!(injected.instructions.as_deref(), Some("be kind\n\nbe brief"));
        token.release("u0").unwrap();
        let injected = &token.unit("u0").injected;
        assert_eq!((&injected.instructions, &injected.model_id), (&None, &None));
    }
    assert_eq!(token.unit("u0").injected.audit.len(), 100, "the newest notes");
    token.claim("u0", "Payer").unwrap();
    let told = token.changes("u0").last().unwrap().injected.as_deref().unwrap();
    assert_eq!(told.audit.len(), 2, "the journal has each note once");
    token.fail("u0").unwrap();
    token.claim("u0", "Medic").unwrap();
    let injected = &token.unit("u0").injected;
    assert_eq!((&injected.instructions, injected.fragments.len()), (&None, 0));
    assert_eq!(injected.audit.len(), 100);
}

#[test]
fn the_parts_of_a_set_are_gathered_as_long_as_there_is_room() {
    let mut token = desk(json!({ "total": 300, "flagged": false }));
    token.claim("u0", "Splitter").unwrap();
    let part = json!({ "total": 5, "scan": "x".repeat(1_000_000) });
    token.done("u0", json!({}), vec![part; 18]).unwrap();
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "now".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
    token.done("u0", json!({ "closed": true }), vec![]).unwrap();
    let output = token.state.output.clone().unwrap();
    let parts = output["_children"].as_array().unwrap();
    assert_eq!(parts.len(), 18);
    let is_whole = |part: &&Value| part["attributes"]["total"] == 5;
    assert_eq!(parts.iter().filter(is_whole).count(), 16);
    let rest = json!({
        "uow_id": token.unit("u18").id, "status": "pending", "left_out": 3,
    });
    assert_eq!(parts[17], rest);
    assert_eq!(output["closed"], true);
    assert!(crate::json::size(&output) <= PAYLOAD_BYTES_MAX);
}

#[test]
fn a_run_hands_on_as_much_of_its_base_as_there_is_room_for() {
    let large = |name: &str| (name.to_owned(), Value::from("x".repeat(1_000_000)));
    let names: Vec<String> = (10..28).map(|number| format!("scan_{number}")).collect();
    let mut token = split();
    token.pilot("u0", PilotAct::Waive { rule: "all_home".into(), reason: "now".into() }).unwrap();
    token.claim("u0", "Closer").unwrap();
    let all: serde_json::Map<String, Value> = names.iter().map(|name| large(name)).collect();
    token.done("u0", all.into(), vec![]).unwrap();
    let output = token.state.output.clone().unwrap();
    assert!(crate::json::size(&output) <= PAYLOAD_BYTES_MAX);
    assert_eq!(output["_left_out"], 2);
    assert_eq!(output["total"], 300);
    assert_eq!(token.unit("u0").attributes.len(), 18 + 3, "the unit has them all");
}

#[test]
fn what_cannot_be_learned_is_passed_over() {
    let long = "k".repeat(257);
    let table = [
        (json!({ "key": "k", "value": "x".repeat(65_534) }), true),
        (json!({ "key": "k", "value": "x".repeat(65_535) }), false),
        (json!({ "key": &long[..256], "value": 1 }), true),
        (json!({ "key": long, "value": 1 }), false),
        (json!({ "key": "", "value": 1 }), false),
        (json!({ "key": "a\nb", "value": 1 }), false),
        (json!({ "key": 7, "value": 1 }), false),
        (json!("all"), false),
    ];
    for (rule, is_kept) in table {
        let mut token = desk(json!({ "total": 10, "flagged": false }));
        token.claim("u0", "Splitter").unwrap();
        token.done("u0", json!({ "_learned_rule": rule.clone() }), vec![]).unwrap();
        assert_eq!(token.at("u0"), (UnitStatus::Pending, "Line_Queue"), "it went on");
        let learned = &token.changes("u0").last().unwrap().learned;
        assert_eq!(learned.is_some(), is_kept, "{:.80}", rule.to_string());
    }
}

#[test]
fn a_part_has_no_more_attributes_than_any_unit() {
    let many = |name: &str, count: usize| -> Value {
        let all: serde_json::Map<String, Value> =
            (0..count).map(|number| (format!("{name}{number}"), number.into())).collect();
        all.into()
    };
    let mut own = many("own", 600);
    own["total"] = 300.into();
    own["flagged"] = false.into();
    let mut token = desk(own);
    token.claim("u0", "Splitter").unwrap();
    let refused = token.done("u0", json!({}), vec![many("more", 400)]);
    assert!(matches!(refused, Err(Refused::BadUnit(_))), "{refused:?}");
    token.done("u0", json!({}), vec![many("more", 398)]).unwrap();
    assert_eq!(token.unit("u1").attributes.len(), 1_000);
}

#[test]
fn what_nobody_survives_is_stuck() {
    let settings = json!({ "zombie": "pending", "retries": 2 });
    let mut token = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    let lose = |token: &mut Token, role: &str, count: u32| {
        for _ in 0..count {
            token.claim("u0", role).unwrap();
            token.lose("u0").unwrap();
        }
    };
    lose(&mut token, "Splitter", 2);
    assert_eq!(token.at("u0"), (UnitStatus::Pending, "Requests"));
    lose(&mut token, "Splitter", 1);
    assert_eq!(token.at("u0"), (UnitStatus::ZombiedSoft, "Requests"));
    assert_eq!(token.unit("u0").reason.as_deref(), Some("lease_lost"));
    token.pilot("u0", PilotAct::Clarify { text: "use the other machine".into() }).unwrap();
    lose(&mut token, "Splitter", 2);
    assert_eq!(token.at("u0").0, UnitStatus::Active, "a pilot's word begins anew");
    token.claim("u0", "Splitter").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    lose(&mut token, "Payer", 2);
    assert_eq!(token.at("u0"), (UnitStatus::Pending, "Line_Queue"), "so does what was done");

    let mut mended = desk(json!({ "total": 0, "flagged": false }));
    mended.claim("u0", "Splitter").unwrap();
    lose(&mut mended, "Medic", 3);
    assert_eq!(mended.at("u0"), (UnitStatus::Failed, "Ate"));
    lose(&mut mended, "Medic", 1);
    assert_eq!(mended.at("u0"), (UnitStatus::ZombiedSoft, "Ate"));

    let settings = json!({ "zombie": "pending", "retries": 0 });
    let mut never = Token::start(REFUND_DESK, settings, json!({ "total": 10, "flagged": false }));
    lose(&mut never, "Splitter", 50);
    assert_eq!(never.at("u0").0, UnitStatus::Pending);
    lose(&mut never, "Splitter", 1);
    assert_eq!(never.at("u0").0, UnitStatus::ZombiedSoft);
}
