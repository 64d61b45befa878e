use super::*;

/// The example without the lines that contain a text.
fn desk_without(part: &str) -> String {
    let lines = REFUND_DESK.lines().filter(|line| !line.contains(part));
    let text: Vec<&str> = lines.collect();
    assert!(text.len() < REFUND_DESK.lines().count(), "{part}");
    text.join("\n")
}

/// A template with a guardian that lets everything pass in the place of CERBERUS.
fn without_cerberus(text: &str) -> String {
    text.replace("type: CERBERUS", "type: PASS_THRU").replace(
        "config: {wait_for_children: true, min_children: 1, sync_strategy: all_complete}",
        "config: {}",
    )
}

/// The only finding, with the names in it.
fn wrong(text: &str, code: &str, names: &[&str]) {
    let one = finding(text);
    assert_eq!((one.code.as_str(), one.severity), (code, Severity::Error), "{one:#?}");
    assert!(one.line.is_some() && one.hint.is_some(), "{one:#?}");
    for name in names {
        assert!(one.message.contains(name), "{name} is not in {}", one.message);
    }
}

/// The finding of a rule, broken once, with the names in it.
fn broken(text: &str, rule: &str, names: &[&str]) {
    let checked = read(text);
    assert!(checked.template.is_none(), "{rule}");
    let one = checked.findings.iter().find(|one| one.code == rule);
    let one = one.unwrap_or_else(|| panic!("{rule} is not in {:#?}", checked.findings));
    assert_eq!(one.severity, Severity::Error);
    assert!(one.line.is_some() && one.hint.is_some(), "{one:#?}");
    let start = rule.to_uppercase();
    assert!(one.message.starts_with(&start), "{}", one.message);
    for name in names {
        assert!(one.message.contains(name), "{name} is not in {}", one.message);
    }
    let others: Vec<&Finding> = checked
        .findings
        .iter()
        .filter(|one| one.severity == Severity::Error && one.code != rule)
        .collect();
    assert!(others.is_empty(), "{rule} brings others: {others:#?}");
}

#[test]
fn r1_one_alpha() {
    broken(
        &desk_with("name: Clerk,    role_type: BETA,", "name: Clerk, role_type: ALPHA,"),
        "r1",
        &["ALPHA", "Intake, Clerk"],
    );
    broken(
        &desk_with("role_type: ALPHA", "role_type: BETA, strategy: HOMOGENEOUS"),
        "r1",
        &["there is no ALPHA role"],
    );
}

#[test]
fn r2_one_omega() {
    broken(
        &desk_with("name: Clerk,    role_type: BETA,", "name: Clerk, role_type: OMEGA,").replace(
            "direction: INBOUND}\n  - {name: clerk_out",
            "direction: INBOUND, guardian: {type: CERBERUS}}\n  - {name: clerk_out",
        ),
        "r2",
        &["OMEGA", "Clerk, Closer"],
    );
    broken(
        &without_cerberus(&desk_with("role_type: OMEGA", "role_type: BETA, strategy: HOMOGENEOUS")),
        "r2",
        &["there is no OMEGA role"],
    );
}

#[test]
fn r3_one_epsilon() {
    broken(
        &desk_with("role_type: TAU}", "role_type: TAU}\n  - {name: Nurse, role_type: EPSILON}"),
        "r3",
        &["EPSILON", "Medic, Nurse"],
    );
    broken(
        &desk_with("role_type: EPSILON", "role_type: HUMAN, strategy: HETEROGENEOUS")
            .replace("type: PASS_THRU, config: {}}", "type: PASS_THRU, config: {}}\n  - {name: mended, component: medic_out, type: PASS_THRU, config: {interaction_policy: {branches: [{condition: ok}]}}}"),
        "r3",
        &["there is no EPSILON role"],
    );
}

#[test]
fn r4_one_tau() {
    broken(
        &desk_with("role_type: TAU}", "role_type: TAU}\n  - {name: Watch, role_type: TAU}"),
        "r4",
        &["TAU", "Clock, Watch"],
    );
    broken(
        &desk_with("role_type: TAU}", "role_type: AUTO, strategy: HOMOGENEOUS}")
            .replace("type: PASS_THRU, config: {}}", "type: TTL_CHECK, config: {}}"),
        "r4",
        &["there is no TAU role"],
    );
}

#[test]
fn r5_a_beta_has_a_strategy() {
    let line = "name: Payer,    role_type: BETA, strategy: HOMOGENEOUS";
    broken(&desk_with(line, "name: Payer, role_type: BETA"), "r5", &["Payer"]);
    let text = desk_with(line, "name: Payer, role_type: BETA, strategy: SOMEHOW");
    let one = finding(&text);
    assert_eq!(one.code, "r5");
    assert!(
        one.message.contains("`SOMEHOW`") && one.message.contains("`Payer`"),
        "{}",
        one.message
    );
}

#[test]
fn r6_a_component_has_a_direction() {
    let line = "interaction: Line_Queue,   direction: INBOUND";
    broken(&desk_with(line, "interaction: Line_Queue"), "r6", &["pay_in"]);
    let one = finding(&desk_with(line, "interaction: Line_Queue, direction: INWARD"));
    assert_eq!(one.code, "r6");
    assert!(
        one.message.contains("`INWARD`") && one.message.contains("`pay_in`"),
        "{}",
        one.message
    );
}

#[test]
fn r7_an_interaction_has_both_ends() {
    broken(&desk_without("name: clock_out"), "r7", &["Ate", "producer"]);
    broken(&desk_without("name: pay_in"), "r7", &["Line_Queue", "consumer"]);
    broken(&desk_with("{name: Ate}", "{name: Ate}\n  - {name: Nowhere}"), "r7", &["Nowhere"]);
}

#[test]
fn r8_epsilon_is_guarded() {
    broken(&desk_without("name: ate_guard"), "r8", &["medic_in", "Medic"]);
}

#[test]
fn r9_omega_waits_for_the_children() {
    broken(&without_cerberus(REFUND_DESK), "r9", &["close_in", "Closer", "CERBERUS"]);
}

#[test]
fn r10_alpha_has_a_way_out_and_omega_one_in() {
    broken(
        &desk_with("{name: intake_out,   role: Intake, ", "{name: intake_out, role: Payer, ")
            .replace("type: PASS_THRU, config: {}}", "type: PASS_THRU, config: {}}\n  - {name: some, component: pay_out, type: PASS_THRU, config: {interaction_policy: {branches: [{condition: ok}]}}}"),
        "r10",
        &["ALPHA", "Intake", "OUTBOUND"],
    );
    broken(
        &without_cerberus(&desk_with(
            "{name: close_in,     role: Closer, ",
            "{name: close_in, role: Clerk, ",
        ))
        .replace(
            "component_name: close_in\n    type: PASS_THRU",
            "component_name: close_in\n    type: TTL_CHECK",
        ),
        "r10",
        &["OMEGA", "Closer", "INBOUND"],
    );
}

#[test]
fn r11_a_condition_is_a_condition() {
    let table = [
        ("total >=", "`manual_if_big`"),
        ("actor_id == 'ann'", "`actor_id`"),
        ("lower(total) == 'x'", "`lower`"),
        ("exec('x')", "`exec`"),
        ("total.amount > 1", "`amount`"),
        ("totals[0] > 1", "item"),
        ("total | len > 1", "`|`"),
        ("total & 1", "`&`"),
        ("2 ** 3 > total", "`*`"),
        ("{'a': 1} == total", "object"),
        ("1 < total < 3", "chained"),
    ];
    for (condition, name) in table {
        let text = desk_with(
            "total >= 200 or flagged",
            &condition.replace('\\', "\\\\").replace('"', "\\\""),
        );
        broken(&text, "r11", &[name, "branch 1 of the policy of guardian `manual_if_big`"]);
    }
}

#[test]
fn r11_points_into_the_condition() {
    let one = finding(&desk_with("total >= 200 or flagged", "total >= 200 or actor_id == 1"));
    let line = REFUND_DESK.lines().position(|line| line.contains("total >= 200")).unwrap() + 1;
    let column = REFUND_DESK.lines().nth(line - 1).unwrap().find("flagged").unwrap() + 1;
    let place = (u32::try_from(line).unwrap(), u32::try_from(column).unwrap());
    assert_eq!((one.line, one.column), (Some(place.0), Some(place.1)));
}

#[test]
fn r12_a_beta_with_several_ways_has_a_policy() {
    let start = REFUND_DESK.find("  - name: manual_if_big").unwrap();
    let end = REFUND_DESK.find("  - {name: ate_guard").unwrap();
    let without = format!("{}{}", &REFUND_DESK[..start], &REFUND_DESK[end..]);
    broken(&without, "r12", &["Splitter", "split_manual, split_fast"]);
    let routed = without.replacen(
        "direction: OUTBOUND}   # last",
        "direction: OUTBOUND,
     guardian: {type: DIRECTIONAL_FILTER, config: {routing_key: size, routes: {big: Manual_Queue, small: Line_Queue}}}}  # last",
        1,
    );
    assert!(read(&routed).is_ok(), "a filter with routes chooses as well");
}

#[test]
fn cerberus_stands_where_omega_pulls() {
    let another = |component: &str| {
        format!("{REFUND_DESK}  - {{name: second, component_name: {component}, type: CERBERUS}}\n")
    };
    for component in ["pay_in", "pay_out", "medic_in"] {
        wrong(&another(component), "misplaced-cerberus", &["`second`", component]);
    }
    assert!(read(&another("close_in")).is_ok());
}

#[test]
fn only_a_beta_is_a_workflow_of_its_own() {
    for (word, role) in
        [("ALPHA", "Intake"), ("OMEGA", "Closer"), ("EPSILON", "Medic"), ("TAU", "Clock")]
    {
        let text = desk_with(
            &format!("role_type: {word}}}"),
            &format!("role_type: {word}, child_workflow_name: Inner}}"),
        );
        wrong(&text, "not-a-gateway", &[word, role, "only a BETA"]);
    }
    let beta = desk_with("name: Payer,", "name: Payer, child_workflow_name: Inner,");
    assert!(read(&beta).is_ok());
}

#[test]
fn who_mends_and_who_keeps_time_have_a_place_to_pull_from() {
    // The clerk pulls there instead, so that the interaction has its consumer.
    for (component, word, role) in [("medic_in", "EPSILON", "Medic"), ("clock_in", "TAU", "Clock")]
    {
        let own = format!("{{name: {component},     role: {role},  ");
        let text = desk_with(&own, &format!("{{name: {component}, role: Clerk, "));
        let checked = read(&text);
        let one = checked.findings.iter().find(|one| one.severity == Severity::Error).unwrap();
        assert_eq!(one.code, "no-queue", "{:#?}", checked.findings);
        assert!(one.message.contains(word) && one.message.contains(role), "{}", one.message);
    }
}
