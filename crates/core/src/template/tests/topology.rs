use super::*;

fn codes(text: &str) -> Vec<String> {
    read(text).findings.into_iter().map(|one| one.code).collect()
}

/// The example with one more component.
fn desk_and(component: &str) -> String {
    desk_with("components:\n", &format!("components:\n  - {component}\n"))
}

#[test]
fn a_cycle_needs_a_way_out() {
    let back = "{name: pay_back, role: Payer, interaction: Line_Queue, direction: OUTBOUND";
    let policy = |condition: &str| {
        format!(
            ", guardian: {{type: PASS_THRU, config: {{interaction_policy: {{branches: [{condition}]}}}}}}}}"
        )
    };
    // The policy that ends it is on the other component, so the rules of a BETA are content.
    let other = desk_with(
        "interaction: Settled,      direction: OUTBOUND}",
        &format!("interaction: Settled, direction: OUTBOUND{}", policy("{default: true}")),
    );
    let endless = other.replacen("components:\n", &format!("components:\n  - {back}}}\n"), 1);
    let findings = read(&endless).findings;
    let one = findings.iter().find(|one| one.code == "no-way-out").unwrap();
    assert_eq!(one.severity, Severity::Error);
    assert_eq!(
        one.message,
        "the cycle Line_Queue → Payer → Line_Queue has no guardian that ends it"
    );
    let guarded = other.replacen(
        "components:\n",
        &format!("components:\n  - {back}{}\n", policy("{condition: rounds < 3}")),
        1,
    );
    assert_eq!(codes(&guarded), Vec::<String>::new());
    let gated = endless.replacen(
        "interaction: Line_Queue,   direction: INBOUND}",
        "interaction: Line_Queue, direction: INBOUND, guardian: {type: TTL_CHECK}}",
        1,
    );
    assert!(!codes(&gated).contains(&"no-way-out".to_owned()), "a gate ends it");
    let always = other.replacen(
        "components:\n",
        &format!("components:\n  - {back}{}\n", policy("{default: true}")),
        1,
    );
    assert!(codes(&always).contains(&"no-way-out".to_owned()), "a default ends nothing");
}

#[test]
fn alpha_begins_and_omega_ends() {
    let inbound = "{name: again, role: Intake, interaction: Ate, direction: INBOUND}";
    assert_eq!(codes(&desk_and(inbound)), ["alpha-inbound"]);
    let outbound = "{name: again, role: Closer, interaction: Chronos, direction: OUTBOUND}";
    assert_eq!(codes(&desk_and(outbound)), ["omega-outbound"]);
}

#[test]
fn islands_and_dead_ends_are_warned_of() {
    let island = desk_with("{name: Ate}", "{name: Ate}\n  - {name: Island}")
        .replacen("role_type: TAU}", "role_type: TAU}\n  - {name: Robin, role_type: AUTO, strategy: HOMOGENEOUS}", 1)
        .replacen("components:\n", "components:\n  - {name: swim, role: Robin, interaction: Island, direction: OUTBOUND}\n  - {name: land, role: Robin, interaction: Island, direction: INBOUND, guardian: {type: TTL_CHECK}}\n", 1);
    let one = finding(&island);
    assert_eq!((one.code.as_str(), one.severity), ("unreachable-interaction", Severity::Warning));
    assert!(one.message.contains("`Island`"));
    let start = REFUND_DESK.find("  - {name: clerk_out").unwrap();
    let end = REFUND_DESK.find("  - {name: medic_in").unwrap();
    let dead = format!("{}{}", &REFUND_DESK[..start], &REFUND_DESK[end..]);
    let one = finding(&dead);
    assert_eq!((one.code.as_str(), one.severity), ("dead-end", Severity::Warning));
    assert!(one.message.contains("`Manual_Queue`"));
}

#[test]
fn policies_that_do_not_do_what_they_seem_to() {
    let branch = "{condition: \"total >= 200 or flagged\", next_interaction: Manual_Queue}";
    let table = [
        (desk_with(branch, "{default: true}"), vec!["unreachable-component"]),
        (desk_with(branch, "{condition: \"True\"}"), vec!["unreachable-component"]),
        (
            desk_with(branch, "{condition: \"true\"}\n          - {condition: flagged}"),
            vec!["unreachable-component", "unreachable-branch"],
        ),
        (
            desk_with(
                "{default: true, next_interaction: Line_Queue}",
                "{default: true}\n          - {condition: flagged}\n          - {default: true}",
            ),
            vec!["unreachable-branch", "unreachable-branch"],
        ),
        (
            desk_with("next_interaction: Manual_Queue", "next_interaction: Line_Queue"),
            vec!["other-interaction"],
        ),
        (
            desk_with("next_interaction: Manual_Queue", "next_interaction: Moon"),
            vec!["other-interaction"],
        ),
        (
            desk_with(
                "type: PASS_THRU, config: {}}",
                "type: PASS_THRU, config: {interaction_policy: {branches: [{default: true}]}}}",
            ),
            vec!["policy-on-inbound"],
        ),
    ];
    for (text, expected) in table {
        let checked = read(&text);
        let codes: Vec<&str> = checked.findings.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, expected, "{:#?}", checked.findings);
        assert!(checked.is_ok(), "these are warnings");
    }
}

#[test]
fn a_route_leads_somewhere() {
    let filter = |target: &str| {
        desk_with(
            "guardian: {type: CRITERIA_GATE, config: {field: total, operator: GT, threshold: 0}}",
            &format!(
                "guardian: {{type: DIRECTIONAL_FILTER, config: {{routing_key: size, routes: {{big: {target}}}}}}}"
            ),
        )
    };
    assert_eq!(codes(&filter("Manual_Queue")), Vec::<String>::new());
    assert_eq!(codes(&filter("Settled")), ["other-interaction"]);
    let one = finding(&filter("Manual_Qeue"));
    assert_eq!((one.code.as_str(), one.severity), ("unknown-interaction", Severity::Error));
    assert_eq!(one.hint.as_deref(), Some("did you mean `Manual_Queue`?"));
}
