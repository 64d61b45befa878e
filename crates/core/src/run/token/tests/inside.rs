//! Child workflows: units that are another unit for a while.

use super::*;

/// A workflow of one stage. Its worker may be a workflow of its own.
fn inner() -> Value {
    json!({
        "name": "Inner",
        "roles": [
            { "name": "In", "role_type": "ALPHA" },
            { "name": "Work", "role_type": "BETA", "strategy": "HOMOGENEOUS" },
            { "name": "Out", "role_type": "OMEGA" },
            { "name": "Fix", "role_type": "EPSILON" },
            { "name": "Time", "role_type": "TAU" },
        ],
        "interactions": [{ "name": "Todo" }, { "name": "Done" }, { "name": "Bad" }, { "name": "Late" }],
        "components": [
            { "name": "a", "role": "In", "interaction": "Todo", "direction": "OUTBOUND" },
            { "name": "b", "role": "Work", "interaction": "Todo", "direction": "INBOUND" },
            { "name": "c", "role": "Work", "interaction": "Done", "direction": "OUTBOUND" },
            { "name": "d", "role": "Out", "interaction": "Done", "direction": "INBOUND",
              "guardian": { "name": "whole", "type": "CERBERUS", "config": { "wait_for_children": true } } },
            { "name": "e", "role": "Fix", "interaction": "Bad", "direction": "INBOUND",
              "guardian": { "type": "PASS_THRU", "config": {} } },
            { "name": "f", "role": "Fix", "interaction": "Done", "direction": "OUTBOUND" },
            { "name": "g", "role": "Time", "interaction": "Late", "direction": "INBOUND" },
            { "name": "h", "role": "Time", "interaction": "Bad", "direction": "OUTBOUND" },
            { "name": "i", "role": "Fix", "interaction": "Late", "direction": "OUTBOUND" },
        ],
    })
}

fn named(mut template: Value, name: &str, child: Option<&str>) -> Value {
    template["name"] = name.into();
    if let Some(child) = child {
        template["roles"][1]["child_workflow_name"] = child.into();
    }
    template
}

fn nested(settings: Value) -> Token {
    let templates = json!({ "Outer": named(inner(), "Outer", Some("Inner")), "Inner": inner() });
    Token::of("Outer", templates, settings, json!({ "x": 1 }))
}

/// A workflow that splits what comes, and whose parts are workers of a child workflow.
fn splitting(name: &str) -> Value {
    let mut template = named(inner(), name, Some("Inner"));
    let cut = json!({ "name": "Cut", "role_type": "BETA", "strategy": "HOMOGENEOUS" });
    template["roles"].as_array_mut().unwrap().push(cut);
    template["interactions"].as_array_mut().unwrap().push(json!({ "name": "Whole" }));
    let components = template["components"].as_array_mut().unwrap();
    components[0]["interaction"] = "Whole".into();
    components.extend([
        json!({ "name": "j", "role": "Cut", "interaction": "Whole", "direction": "INBOUND" }),
        json!({ "name": "k", "role": "Cut", "interaction": "Todo", "direction": "OUTBOUND" }),
    ]);
    template
}

#[test]
fn a_role_may_be_a_workflow_of_its_own() {
    let mut token = nested(json!({}));
    assert_eq!(token.at("u0"), (UnitStatus::Active, "Todo"), "it is in the child workflow");
    assert!(token.claim("u0", "Work").is_err());
    token.claim("u1", "Work").unwrap();
    token.done("u1", json!({ "x": 2 }), vec![]).unwrap();
    token.claim("u1", "Out").unwrap();
    token.done("u1", json!({ "y": 3 }), vec![]).unwrap();
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Done"));
    assert_eq!((token.value("u0", "x"), token.value("u0", "y")), (json!(2), json!(3)));
    token.claim("u0", "Out").unwrap();
    token.done("u0", json!({}), vec![]).unwrap();
    assert_eq!(token.state.status, RunStatus::Succeeded);
}

#[test]
fn what_is_lost_inside_is_mended_outside() {
    let mut token = nested(json!({ "max_interactions": 0, "retries": 0, "retry_after": "10s" }));
    token.claim("u1", "Work").unwrap();
    token.later("u1", 10).unwrap();
    token.later("u1", 10).unwrap();
    assert_eq!(token.at("u1"), (UnitStatus::Failed, ""));
    assert_eq!(token.at("u0"), (UnitStatus::Failed, "Bad"));
    assert_eq!(token.unit("u0").reason.as_deref(), Some("child_failed"));
}

#[test]
fn what_was_changed_outside_meanwhile_goes_nowhere() {
    let mut token = nested(json!({}));
    token.tamper("u0");
    token.claim("u1", "Work").unwrap();
    token.done("u1", json!({}), vec![]).unwrap();
    token.claim("u1", "Out").unwrap();
    token.done("u1", json!({ "y": 3 }), vec![]).unwrap();
    assert_eq!(token.at("u0").0, UnitStatus::FailedSecurityBreach);
    assert_eq!(token.value("u0", "y"), Value::Null, "or its hash would be right again");
    assert_eq!(token.state.status, RunStatus::Failed);
}

#[test]
fn a_set_that_is_closed_takes_what_is_inside_of_its_parts_along() {
    let templates = json!({
        "Outer": named(inner(), "Outer", Some("Middle")), "Middle": splitting("Middle"),
        "Inner": inner(),
    });
    let mut token = Token::of("Outer", templates, json!({}), json!({ "x": 1 }));
    token.claim("u1", "Cut").unwrap();
    token.done("u1", json!({}), vec![json!({})]).unwrap();
    assert_eq!(token.at("u2"), (UnitStatus::Active, "Todo"));
    assert_eq!(token.at("u3"), (UnitStatus::Pending, "Todo"));
    token.pilot("u1", PilotAct::Waive { rule: "whole".into(), reason: "now".into() }).unwrap();
    token.claim("u1", "Out").unwrap();
    token.done("u1", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u2").0, UnitStatus::Archived);
    assert_eq!(token.at("u3").0, UnitStatus::Archived, "nobody waits for it any more");
    assert!(token.claim("u3", "Work").is_err());
    assert_eq!(token.at("u0"), (UnitStatus::Completed, "Done"));
    let parts = token.value("u1", "_children");
    assert_eq!(parts.as_array().unwrap().len(), 1, "what is inside of a part is no part");
}

#[test]
fn a_run_that_has_all_its_units_enters_no_further_child_workflow() {
    let mut template = splitting("Outer");
    // What was mended goes to the way in, as nothing else does.
    template["components"][5]["interaction"] = "Todo".into();
    let others = template["components"].as_array_mut().unwrap();
    others.iter_mut().find(|one| one["name"] == "k").unwrap()["interaction"] = "Whole2".into();
    others.push(
        json!({ "name": "l", "role": "Again", "interaction": "Whole2", "direction": "INBOUND" }),
    );
    others.push(
        json!({ "name": "m", "role": "Again", "interaction": "Done", "direction": "OUTBOUND" }),
    );
    template["interactions"].as_array_mut().unwrap().push(json!({ "name": "Whole2" }));
    let again = json!({ "name": "Again", "role_type": "BETA", "strategy": "HOMOGENEOUS" });
    template["roles"].as_array_mut().unwrap().push(again);
    let templates = json!({ "Outer": template, "Inner": inner() });
    let mut token = Token::of("Outer", templates, json!({}), json!({ "x": 1 }));
    token.claim("u0", "Cut").unwrap();
    // 1 + 11 + 9 × 1,000 + 988 = 10,000.
    token.done("u0", json!({}), vec![json!({}); 11]).unwrap();
    for part in 1..=10 {
        let count = if part == 10 { 988 } else { 1_000 };
        let path = format!("u{part}");
        token.claim(&path, "Again").unwrap();
        token.done(&path, json!({}), vec![json!({}); count]).unwrap();
    }
    token.claim("u11", "Again").unwrap();
    token.fail("u11").unwrap();
    token.claim("u11", "Fix").unwrap();
    token.done("u11", json!({}), vec![]).unwrap();
    assert_eq!(token.at("u11"), (UnitStatus::Failed, "Bad"));
    assert_eq!(token.unit("u11").reason.as_deref(), Some("too_many_units"));
}
