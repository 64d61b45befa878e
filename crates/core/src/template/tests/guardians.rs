use serde_json::json;

use super::*;
use crate::template::guardians::{Cerberus, Disposal, Logic, SyncStrategy};

fn passes(gate: &Gate, attributes: Value) -> bool {
    gate.judge(&Unit::with(attributes), now()).is_pass()
}

fn message(gate: &Gate, attributes: Value) -> String {
    match gate.judge(&Unit::with(attributes), now()) {
        Verdict::Reject { message } => message,
        Verdict::Pass => panic!("it passes"),
    }
}

/// The code of the first error about a guardian's config.
fn refused(kind: &str, config: Value) -> String {
    let checked = read(&guarded(kind, &config));
    let error = checked.findings.iter().find(|one| one.severity == Severity::Error);
    error.unwrap_or_else(|| panic!("{kind} {config} is accepted")).code.clone()
}

#[test]
fn pass_thru_lets_everything_pass() {
    assert!(passes(&gate("PASS_THRU", &json!({})), json!({})));
    assert_eq!(refused("PASS_THRU", json!({ "field": "total" })), "unknown-field");
}

#[test]
fn criteria_of_one_comparison() {
    let one = |operator: &str, threshold: Value| {
        gate(
            "CRITERIA_GATE",
            &json!({ "field": "a", "operator": operator, "threshold": threshold }),
        )
    };
    let table = [
        ("GT", json!(10), json!(11), true),
        ("GT", json!(10), json!(10), false),
        ("GT", json!(10), json!("11"), false),
        ("GT", json!(10), json!(null), false),
        ("GT", json!("a"), json!("b"), true),
        ("LT", json!(10), json!(9.5), true),
        ("LT", json!(10), json!(true), false),
        ("EQ", json!(1), json!(1.0), true),
        ("EQ", json!(1), json!("1"), false),
        ("EQ", json!({ "x": 1 }), json!({ "x": 1 }), true),
        ("EQ", json!(false), json!(false), true),
        ("IN", json!(["a", "b"]), json!("b"), true),
        ("IN", json!(["a", "b"]), json!("c"), false),
        ("IN", json!([]), json!("c"), false),
    ];
    for (operator, threshold, value, expected) in table {
        let gate = one(operator, threshold.clone());
        assert_eq!(
            passes(&gate, json!({ "a": value })),
            expected,
            "{value} {operator} {threshold}"
        );
    }
    let gate = one("GT", json!(10));
    assert_eq!(message(&gate, json!({})), "the unit has no attribute `a`");
    assert_eq!(message(&gate, json!({ "a": 3 })), "`a` is not greater than 10");
    assert!(message(&gate, json!({ "a": "3" })).contains("is a string"));
}

#[test]
fn a_component_asks_all_its_guardians() {
    let text = desk_with(
        "guardians:\n",
        "guardians:\n  - {name: known, component: split_in, type: CRITERIA_GATE, config: {field: who, \
         operator: EQ, threshold: ann}}\n",
    );
    let desk = template(&text);
    let component = |name: &str| desk.components.iter().find(|one| one.name == name).unwrap();
    let rejection = |attributes: Value| {
        let unit = Unit::with(attributes);
        let rejected = component("split_in").rejection(&unit, now());
        rejected.map(|(guardian, message)| (guardian.name.clone(), message))
    };
    assert_eq!(rejection(json!({ "total": 5, "who": "ann" })), None);
    let second = ("known".to_owned(), "the unit has no attribute `who`".to_owned());
    assert_eq!(rejection(json!({ "total": 5 })), Some(second));
    let first = ("split_in_guardian".to_owned(), "`total` is not greater than 0".to_owned());
    assert_eq!(rejection(json!({ "total": 0 })), Some(first));
    let (guardian, cerberus) = component("close_in").cerberuses().next().unwrap();
    assert_eq!((guardian.name.as_str(), cerberus.min_children), ("all_home", 1));
    assert_eq!(component("split_in").injectors().count(), 0);
}

#[test]
fn reserved_names_speak_for_the_unit_and_not_its_attributes() {
    let config = json!({ "field": "status", "operator": "EQ", "threshold": "ACTIVE" });
    assert!(passes(&gate("CRITERIA_GATE", &config), json!({ "status": "a lie" })));
}

#[test]
fn criteria_of_several_rules() {
    let several = |operator: &str, rules: Value| {
        gate("CRITERIA_GATE", &json!({ "operator": operator, "rules": rules }))
    };
    let rule = |condition: &str, value: Value| json!([{ "field": "a", "condition": condition, "value": value }]);
    let table = [
        ("equals", json!(1), json!({ "a": 1 }), true),
        ("equals", json!(0), json!({}), false),
        ("not_equals", json!(1), json!({ "a": 2 }), true),
        ("not_equals", json!(1), json!({}), false),
        ("gt", json!(-1), json!({}), true),
        ("gt", json!(0), json!({}), false),
        ("gte", json!(0), json!({}), true),
        ("gte", json!("a"), json!({}), false),
        ("lt", json!(1), json!({}), true),
        ("lte", json!(5), json!({ "a": 5 }), true),
        ("lte", json!(5), json!({ "a": [5] }), false),
        ("contains", json!("b"), json!({ "a": "abc" }), true),
        ("contains", json!(2), json!({ "a": [1, 2] }), true),
        ("contains", json!(2), json!({ "a": 2 }), false),
        ("not_contains", json!(2), json!({ "a": [1] }), true),
        ("not_contains", json!(2), json!({}), false),
        ("not_contains", json!(2), json!({ "a": 1 }), false),
        ("exists", json!(null), json!({ "a": null }), true),
        ("exists", json!(null), json!({}), false),
        ("not_exists", json!(null), json!({}), true),
        ("not_exists", json!(null), json!({ "a": 1 }), false),
    ];
    for (condition, value, attributes, expected) in table {
        let gate = several("AND", rule(condition, value.clone()));
        assert_eq!(passes(&gate, attributes.clone()), expected, "{attributes} {condition} {value}");
    }
    assert!(passes(&several("AND", json!([])), json!({})));
    assert!(passes(&several("OR", json!([])), json!({})));
    let two = json!([
        { "field": "a", "condition": "gt", "value": 1 },
        { "field": "b", "condition": "exists" },
    ]);
    let table = [
        (json!({ "a": 2, "b": 1 }), true, true),
        (json!({ "a": 2 }), false, true),
        (json!({}), false, false),
    ];
    for (attributes, and, or) in table {
        assert_eq!(passes(&several("AND", two.clone()), attributes.clone()), and, "{attributes}");
        assert_eq!(passes(&several("OR", two.clone()), attributes.clone()), or, "{attributes}");
    }
}

#[test]
fn criteria_that_cannot_be_are_found() {
    let table = [
        (json!({}), "missing-field"),
        (json!({ "field": "a", "operator": "GT" }), "missing-field"),
        (json!({ "field": "a", "operator": "GTE", "threshold": 1 }), "unknown-operator"),
        (json!({ "field": "a", "operator": "IN", "threshold": 1 }), "bad-value"),
        (json!({ "field": "a", "operator": "GT", "threshold": [1] }), "bad-value"),
        (json!({ "field": 7, "operator": "GT", "threshold": 1 }), "bad-value"),
        (json!({ "rules": [{ "field": "a", "condition": "is" }] }), "unknown-condition"),
        (json!({ "rules": [{ "field": "a", "condition": "gt" }] }), "missing-field"),
        (json!({ "rules": 1 }), "bad-value"),
        (json!({ "rules": [], "operator": "XOR" }), "unknown-operator"),
        (json!({ "rules": [], "threshold": 1 }), "unknown-field"),
    ];
    for (config, code) in table {
        assert_eq!(refused("CRITERIA_GATE", config.clone()), code, "{config}");
    }
}

#[test]
fn too_old_is_refused() {
    let since = |seconds: u64| {
        gate("TTL_CHECK", &json!({ "reference_field": "at", "max_age_seconds": seconds }))
    };
    let table = [
        ("2026-01-31T12:59:00Z", 60, true),
        ("2026-01-31T12:59:00Z", 59, false),
        ("2026-01-31T12:59:00", 60, true),
        ("2026-01-31 12:59:00", 60, true),
        ("2026-01-31T13:59:00+01:00", 60, true),
        ("2026-01-31", 13 * 3_600, true),
        ("2026-01-31", 13 * 3_600 - 1, false),
        ("2026-02-01T00:00:00Z", 1, true),
        ("yesterday", 1_000_000, false),
        ("", 1_000_000, false),
    ];
    for (at, seconds, expected) in table {
        assert_eq!(passes(&since(seconds), json!({ "at": at })), expected, "{at} {seconds}");
    }
    assert!(!passes(&since(60), json!({})));
    assert!(!passes(&since(60), json!({ "at": 1_769_860_800 })));
    assert!(passes(&gate("TTL_CHECK", &json!({ "max_age_seconds": 3_600 })), json!({})));
    assert!(!passes(&gate("TTL_CHECK", &json!({ "max_age_seconds": 3_599 })), json!({})));
    assert!(passes(&gate("TTL_CHECK", &json!({})), json!({})), "a day is the default");
    assert_eq!(refused("TTL_CHECK", json!({ "reference_field": "at" })), "missing-field");
    assert_eq!(refused("TTL_CHECK", json!({ "max_age_seconds": -1 })), "bad-value");
    assert_eq!(refused("TTL_CHECK", json!({ "max_age_seconds": "1h" })), "bad-value");
}

#[test]
fn several_gates_as_one() {
    let above = |value: i64| json!({ "field": "a", "operator": "GT", "threshold": value });
    let engine = |logic: &str| {
        let steps = json!([
            { "type": "CRITERIA_GATE", "config": above(1) },
            { "type": "COMPOSITE", "config": { "steps": [{ "type": "CRITERIA_GATE", "config": above(5) }] } },
        ]);
        gate("COMPOSITE", &json!({ "logic": logic, "steps": steps }))
    };
    let alternative = |operator: &str| {
        let gates = json!([
            { "type": "CRITERIA_GATE", "attributes": above(1) },
            { "type": "CRITERIA_GATE", "attributes": above(5) },
        ]);
        gate("COMPOSITE", &json!({ "operator": operator, "guardians": gates }))
    };
    for (a, and, or) in [(0, false, false), (3, false, true), (9, true, true)] {
        for (logic, expected) in [("AND", and), ("OR", or)] {
            assert_eq!(passes(&engine(logic), json!({ "a": a })), expected, "{a} {logic}");
            assert_eq!(passes(&alternative(logic), json!({ "a": a })), expected, "{a} {logic}");
        }
    }
    assert_eq!(message(&engine("AND"), json!({ "a": 0 })), "`a` is not greater than 1");
    let all = "`a` is not greater than 1; `a` is not greater than 5";
    assert_eq!(message(&alternative("AND"), json!({ "a": 0 })), all);
    assert!(!passes(&gate("COMPOSITE", &json!({ "steps": [] })), json!({})));
    assert!(passes(&gate("COMPOSITE", &json!({ "guardians": [] })), json!({})));
    let Gate::Composite(composite) = alternative("OR") else { panic!() };
    assert_eq!((composite.logic, composite.steps.len()), (Logic::Or, 2));
    let warned = read(&guarded("COMPOSITE", &json!({ "steps": [] })));
    assert_eq!(warned.findings[0].code, "always-rejects");
    let table = [
        (json!({}), "missing-field"),
        (json!({ "logic": "NOR", "steps": [] }), "unknown-operator"),
        (json!({ "steps": [{ "type": "CERBERUS" }] }), "not-a-gate"),
        (json!({ "steps": [{ "type": "CONDITIONAL_INJECTOR" }] }), "not-a-gate"),
        (json!({ "steps": [{ "type": "DIRECTIONAL_FILTER" }] }), "not-a-gate"),
        (json!({ "steps": [{ "type": "STANDARD" }] }), "unknown-guardian-type"),
        (json!({ "steps": [{ "type": "CRITERIA_GATE" }] }), "missing-field"),
        (json!({ "steps": [{ "type": "PASS_THRU", "attributes": {} }] }), "unknown-field"),
        (json!({ "steps": [], "guardians": [] }), "unknown-field"),
    ];
    for (config, code) in table {
        assert_eq!(refused("COMPOSITE", config.clone()), code, "{config}");
    }
}

#[test]
fn a_filter_opens_ways() {
    let engine = gate(
        "DIRECTIONAL_FILTER",
        &json!({ "routing_key": "size", "routes": { "big": "Settled", "7": ["Settled"], "true": "Settled" } }),
    );
    let table = [
        (json!({ "size": "big" }), vec!["Settled"]),
        (json!({ "size": 7 }), vec!["Settled"]),
        (json!({ "size": true }), vec!["Settled"]),
        (json!({ "size": "small" }), vec![]),
        (json!({ "size": ["big"] }), vec![]),
        (json!({}), vec![]),
    ];
    for (attributes, expected) in table {
        let unit = Unit::with(attributes.clone());
        assert!(engine.judge(&unit, now()).is_pass(), "it never blocks: {attributes}");
        assert_eq!(engine.allowed(&unit).unwrap(), expected, "{attributes}");
    }
    let config = json!({ "attribute": "size", "routes": { "big": ["Settled"] } });
    let strict = gate("DIRECTIONAL_FILTER", &config);
    assert!(passes(&strict, json!({ "size": "big" })));
    assert_eq!(message(&strict, json!({ "size": "small" })), "no route for the value of `size`");
    assert_eq!(message(&strict, json!({})), "the unit has no attribute `size`");
    let config = json!({ "attribute": "size", "routes": {}, "default_route": "Settled" });
    let open = gate("DIRECTIONAL_FILTER", &config);
    assert!(passes(&open, json!({})));
    assert_eq!(open.allowed(&Unit::with(json!({}))), Some(vec!["Settled".to_owned()]));
    for (config, code) in [
        (json!({}), "missing-field"),
        (json!({ "routing_key": "size" }), "missing-field"),
        (json!({ "routes": {} }), "missing-field"),
        (json!({ "routing_key": "size", "routes": { "a": 1 } }), "bad-value"),
        (json!({ "routing_key": "size", "routes": ["Settled"] }), "bad-value"),
        (json!({ "routing_key": "size", "routes": {}, "attribute": "b" }), "unknown-field"),
    ] {
        assert_eq!(refused("DIRECTIONAL_FILTER", config.clone()), code, "{config}");
    }
}

/// The example, whose sets are held by a CERBERUS with this config.
fn held(config: &Value) -> String {
    let own = "{wait_for_children: true, min_children: 1, sync_strategy: all_complete}";
    desk_with(own, &config.to_string())
}

#[test]
fn cerberus_passes_as_a_gate_and_says_its_bounds() {
    let hour = std::time::Duration::from_secs(3_600);
    let minute = std::time::Duration::from_secs(60);
    let table = [
        (json!({}), (0, None, hour, true)),
        (json!({ "wait_for_children": true, "min_children": 2 }), (2, None, hour, true)),
        (json!({ "wait_for_children": true, "timeout_seconds": 60 }), (0, None, minute, true)),
        (json!({ "wait_for_children": false }), (0, None, hour, false)),
        (json!({ "min_children": 2 }), (2, Some(100), hour, true)),
        (json!({ "max_children": 5 }), (1, Some(5), hour, true)),
        (json!({ "timeout_seconds": 3_600 }), (1, Some(100), hour, true)),
        (
            json!({ "sync_strategy": "all_complete", "timeout_seconds": 3_600, "max_children": 0 }),
            (0, Some(0), hour, true),
        ),
    ];
    for (config, (min_children, max_children, timeout, wait_for_children)) in table {
        let desk = template(&held(&config));
        let component = desk.components.iter().find(|one| one.name == "close_in").unwrap();
        let gate = component.guardians[0].gate.clone();
        assert!(passes(&gate, json!({})));
        let sync_strategy = SyncStrategy::AllComplete;
        let cerberus = Cerberus {
            min_children,
            max_children,
            timeout,
            wait_for_children,
            sync_strategy,
            disposal: Disposal::Archive,
            keep: Vec::new(),
        };
        assert_eq!(gate, Gate::Cerberus(cerberus), "{config}");
    }
    for (config, code) in [
        (json!({ "min_children": -1 }), "bad-value"),
        (json!({ "min_children": 5, "max_children": 4 }), "bad-value"),
        (json!({ "sync_strategy": "any" }), "unknown-strategy"),
        (json!({ "wait_for_children": "yes" }), "bad-value"),
        (json!({ "children": 5 }), "unknown-field"),
    ] {
        assert_eq!(finding(&held(&config)).code, code, "{config}");
    }
}

#[test]
fn an_injector_passes_and_says_what_applies() {
    let rule = |condition: &str, payload: Value| json!({ "condition": condition, "action": "mutate", "payload": payload });
    let config = json!({ "scope": "pre_execution", "rules": [
        rule("total > 100", json!({ "instructions": "look twice" })),
        rule("country in ('de', 'at')", json!({ "knowledge_fragments": ["vat"], "model_override": "large" })),
        rule("True", json!({ "model_override": "tiny" })),
    ], "allowed_models": ["large"], "failover_model": "safe" });
    let gate = gate("CONDITIONAL_INJECTOR", &config);
    assert!(passes(&gate, json!({})));
    let Gate::Injector(injector) = gate else { panic!() };
    let (rules, errors) = injector.matching(&Unit::with(json!({ "country": "at" })), now());
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0].fragments, [json!("vat")]);
    let models: Vec<_> = rules.iter().filter_map(|rule| injector.model(rule)).collect();
    assert_eq!((models[0].name.as_str(), models[0].is_failover), ("large", false));
    assert_eq!((models[1].name.as_str(), models[1].is_failover), ("safe", true));
    assert_eq!((errors[0].branch, errors[0].code.as_str()), (0, "missing-attribute"));
    assert_eq!(errors[0].condition, "total > 100");
    for (config, code) in [
        (json!({}), "missing-field"),
        (json!({ "rules": [rule("total >", json!({ "instructions": "x" }))] }), "bad-condition"),
        (
            json!({ "rules": [rule("actor_id == 1", json!({ "instructions": "x" }))] }),
            "bad-condition",
        ),
        (json!({ "rules": [{ "condition": "true" }] }), "missing-field"),
        (
            json!({ "rules": [{ "condition": "true", "action": "drop", "payload": {} }] }),
            "unknown-action",
        ),
        (json!({ "rules": [], "scope": "after" }), "unknown-scope"),
        (json!({ "rules": [rule("true", json!({ "instruction": "x" }))] }), "unknown-field"),
        (
            json!({ "rules": [rule("true", json!({ "model_override": "b" }))], "allowed_models": ["a"] }),
            "model-not-allowed",
        ),
    ] {
        assert_eq!(refused("CONDITIONAL_INJECTOR", config.clone()), code, "{config}");
    }
}
