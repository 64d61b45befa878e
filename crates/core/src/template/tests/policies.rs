use serde_json::json;

use super::*;

/// A policy on the component by which the clerk pushes.
fn policy(branches: Value) -> Policy {
    let guardian = json!({ "type": "PASS_THRU", "config": { "interaction_policy": { "branches": branches } } });
    let line =
        "{name: clerk_out,    role: Clerk,    interaction: Settled,      direction: OUTBOUND}";
    let with = line.replace('}', &format!(", guardian: {guardian}}}"));
    let template = template(&desk_with(line, &with));
    let component = template.components.iter().find(|one| one.name == "clerk_out");
    component.unwrap().guardians[0].policy.clone().unwrap()
}

/// The branch and action, and which branches could not be answered.
fn taken(policy: &Policy, attributes: Value) -> (Option<(usize, String)>, Vec<usize>) {
    let route = policy.route(&Unit::with(attributes), now());
    let errors = route.errors.iter().map(|error| error.branch).collect();
    (route.taken.map(|taken| (taken.branch, taken.action)), errors)
}

#[test]
fn the_first_branch_that_holds_wins() {
    let policy = policy(json!([
        { "default": true, "payload": 7 },
        { "condition": "a > 10", "action": "hurry" },
        { "on_error": true },
        { "condition": "a > 5 and b == 'x'" },
        { "condition": "flagged" },
    ]));
    let branch = |at: usize, action: &str| Some((at, action.to_owned()));
    let table = [
        (json!({ "a": 11, "b": "x", "flagged": true }), branch(1, "hurry"), vec![]),
        (json!({ "a": 7, "b": "x", "flagged": true }), branch(3, "proceed"), vec![]),
        (json!({ "a": 7, "b": "y", "flagged": true }), branch(4, "proceed"), vec![]),
        (json!({ "a": 7, "b": "y", "flagged": false }), branch(0, "proceed"), vec![]),
        // An error in one branch does not keep a later one from winning.
        (json!({ "a": "7", "flagged": true }), branch(4, "proceed"), vec![1, 3]),
        (json!({ "flagged": false }), branch(2, "escalate"), vec![1, 3]),
        (json!({ "a": 1, "flagged": 1 }), branch(2, "escalate"), vec![4]),
        (json!({}), branch(2, "escalate"), vec![1, 3, 4]),
    ];
    for (attributes, expected, errors) in table {
        assert_eq!(taken(&policy, attributes.clone()), (expected, errors), "{attributes}");
    }
    let route = policy.route(&Unit::with(json!({ "a": 1, "flagged": false })), now());
    assert_eq!(route.taken.unwrap().payload, json!(7));
}

#[test]
fn without_a_match_there_is_no_way() {
    let bare = policy(json!([{ "condition": "a > 10" }]));
    assert_eq!(taken(&bare, json!({ "a": 1 })), (None, vec![]));
    assert_eq!(taken(&bare, json!({})), (None, vec![0]));
    let with_default = policy(json!([{ "condition": "a > 10" }, { "default": true }]));
    assert_eq!(taken(&with_default, json!({})), (Some((1, "proceed".to_owned())), vec![0]));
    let with_error =
        policy(json!([{ "condition": "a > 10" }, { "on_error": true, "action": "park" }]));
    assert_eq!(taken(&with_error, json!({})), (Some((1, "park".to_owned())), vec![0]));
    assert_eq!(taken(&with_error, json!({ "a": 1 })), (None, vec![]));
}

#[test]
fn an_error_says_what_it_was() {
    let policy = policy(json!([{ "condition": "total > limit" }, { "condition": "missing == 1" }]));
    let errors = policy.route(&Unit::with(json!({ "total": "1", "limit": 2 })), now()).errors;
    assert_eq!(errors[0].code, "type-mismatch");
    assert_eq!(errors[0].variables, ["limit", "total"]);
    assert_eq!(errors[1].code, "missing-attribute");
    assert_eq!(errors[1].message, "there is no attribute `missing`");
    let shown = serde_json::to_value(&errors[1]).unwrap();
    assert_eq!(shown["type"], "missing-attribute");
}

#[test]
fn a_policy_that_cannot_be_is_found() {
    let table = [
        ("{branches: []}", "bad-policy"),
        ("{}", "missing-field"),
        ("[]", "bad-value"),
        ("{branches: [{}]}", "bad-policy"),
        ("{branches: [{condition: a, default: true}]}", "bad-policy"),
        ("{branches: [{default: false}]}", "bad-policy"),
        ("{branches: [{default: yes}]}", "bad-value"),
        ("{branches: [{condition: 5}]}", "bad-value"),
        ("{branches: [{condition: a, next: b}]}", "unknown-field"),
    ];
    for (policy, code) in table {
        let text = desk_with(
            "name: all_home",
            &format!(
                "{{name: extra, component_name: clerk_out, type: PASS_THRU, config: {{interaction_policy: {policy}}}}}\n  - name: all_home"
            ),
        );
        let codes: Vec<String> = read(&text).findings.into_iter().map(|one| one.code).collect();
        assert_eq!(codes, [code], "{policy}");
    }
}

/// The interaction a role's unit goes to, and the guardian that chose.
fn way(template: &Template, role: &str, unit: &Unit) -> (Option<String>, Option<String>) {
    let (role, _) = template.role(role).unwrap();
    let routing = route(template, role, unit, now());
    let name =
        |index: usize| template.interactions[template.components[index].interaction].name.clone();
    (routing.component.map(name), routing.via)
}

#[test]
fn a_role_takes_the_first_component_that_says_so() {
    let desk = template(REFUND_DESK);
    let via = |interaction: &str, guardian: &str| {
        (Some(interaction.to_owned()), Some(guardian.to_owned()))
    };
    let table = [
        (json!({ "total": 500, "flagged": false }), via("Manual_Queue", "manual_if_big")),
        (json!({ "total": 200 }), via("Manual_Queue", "manual_if_big")),
        (json!({ "total": 5, "flagged": false }), via("Line_Queue", "fast_default")),
        (json!({ "total": 5 }), via("Line_Queue", "fast_default")),
        (json!({}), via("Line_Queue", "fast_default")),
    ];
    for (attributes, expected) in table {
        assert_eq!(
            way(&desk, "Splitter", &Unit::with(attributes.clone())),
            expected,
            "{attributes}"
        );
    }
    let unit = Unit::with(json!({}));
    assert_eq!(way(&desk, "Payer", &unit), (Some("Settled".to_owned()), None), "no policy at all");
    assert_eq!(way(&desk, "Medic", &unit), (Some("Settled".to_owned()), None), "the first of two");
    assert_eq!(way(&desk, "Closer", &unit), (None, None), "no way out");
    let (splitter, _) = desk.role("Splitter").unwrap();
    let routing = route(&desk, splitter, &unit, now());
    let told: Vec<(&str, usize)> =
        routing.errors.iter().map(|error| (error.guardian.as_str(), error.branch)).collect();
    assert_eq!(told, [("manual_if_big", 0), ("fast_default", 0)]);
    assert_eq!((routing.branch, routing.action.as_deref()), (Some(1), Some("proceed")));
}

#[test]
fn policies_without_a_match_are_a_case_for_epsilon() {
    let text = desk_with("          - {default: true, next_interaction: Line_Queue}\n", "");
    let unit = Unit::with(json!({ "total": 5 }));
    assert_eq!(way(&template(&text), "Splitter", &unit), (None, None));
}

#[test]
fn a_gate_closes_a_way() {
    let gated = desk_with(
        "interaction: Manual_Queue, direction: OUTBOUND}",
        "interaction: Manual_Queue, direction: OUTBOUND, guardian: {type: CRITERIA_GATE, config: \
         {field: open, operator: EQ, threshold: true}}}",
    );
    let desk = template(&gated);
    let unit = Unit::with(json!({ "total": 500, "open": true }));
    assert_eq!(way(&desk, "Splitter", &unit).0.as_deref(), Some("Manual_Queue"));
    let unit = Unit::with(json!({ "total": 500, "flagged": false }));
    let (splitter, _) = desk.role("Splitter").unwrap();
    let routing = route(&desk, splitter, &unit, now());
    assert_eq!(routing.via.as_deref(), Some("fast_default"));
    assert_eq!(routing.closed[0].guardian, "split_manual_guardian");
    assert_eq!(routing.closed[0].message, "the unit has no attribute `open`");
}

#[test]
fn a_filter_on_the_way_in_limits_the_ways_out() {
    let filtered = desk_with(
        "guardian: {type: CRITERIA_GATE, config: {field: total, operator: GT, threshold: 0}}",
        "guardian: {type: DIRECTIONAL_FILTER, config: {routing_key: size, routes: {big: \
         Manual_Queue, small: Line_Queue}}}",
    );
    let desk = template(&filtered);
    let mut unit = Unit::with(json!({ "total": 500, "size": "small", "flagged": false }));
    assert_eq!(way(&desk, "Splitter", &unit).0.as_deref(), Some("Line_Queue"));
    unit.place = Some("Requests");
    assert_eq!(way(&desk, "Splitter", &unit).0.as_deref(), Some("Line_Queue"));
    unit.place = Some("Manual_Queue");
    assert_eq!(way(&desk, "Splitter", &unit).0.as_deref(), Some("Manual_Queue"), "came by another");
    let unit = Unit::with(json!({ "total": 500, "size": "odd" }));
    let (splitter, _) = desk.role("Splitter").unwrap();
    let routing = route(&desk, splitter, &unit, now());
    assert_eq!((routing.component, routing.closed.len()), (None, 2));
    assert_eq!(routing.closed[0].message, "no route is open to this unit");
}
