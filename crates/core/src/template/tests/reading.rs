use serde_json::json;

use super::*;

#[test]
fn the_example_is_accepted_without_findings() {
    let checked = read(REFUND_DESK);
    assert_eq!(checked.findings, []);
    let template = checked.template.unwrap();
    assert_eq!((template.name.as_str(), template.version), ("Refund_Desk", 1));
    assert_eq!(template.interactions[template.entry()].name, "Requests");
    assert_eq!(template.roles[template.alpha()].name, "Intake");
    assert_eq!(template.roles[template.omega()].name, "Closer");
    assert_eq!(template.roles[template.epsilon()].name, "Medic");
    assert_eq!(template.roles[template.tau()].name, "Clock");
    assert_eq!(template.ate().map(|at| template.interactions[at].name.as_str()), Some("Ate"));
    assert_eq!(
        template.chronos().map(|at| template.interactions[at].name.as_str()),
        Some("Chronos")
    );
    let (splitter, role) = template.role("Splitter").unwrap();
    assert_eq!(role.strategy, Some(Strategy::Homogeneous));
    let names = |components: Vec<(usize, &Component)>| -> Vec<String> {
        components.into_iter().map(|(_, one)| one.name.clone()).collect()
    };
    assert_eq!(names(template.outbound(splitter).collect()), ["split_manual", "split_fast"]);
    assert_eq!(names(template.inbound(splitter).collect()), ["split_in"]);
    let (settled, _) = template.interaction("Settled").unwrap();
    assert_eq!(names(template.consumers(settled).collect()), ["close_in"]);
    let (at, split_in) = template.inbound(splitter).next().unwrap();
    assert_eq!(template.components[at], *split_in);
    assert_eq!(split_in.guardians[0].name, "split_in_guardian");
}

#[test]
fn every_alias_says_the_same() {
    let long = template(REFUND_DESK);
    let aliases = [
        ("role_type: ", "type: "),
        ("role: ", "role_name: "),
        (", interaction: ", ", interaction_name: "),
        ("component_name: ", "component: "),
        ("\n    type: ", "\n    guardian_type: "),
        (", strategy: ", ", decomposition_strategy: "),
        ("config: ", "attributes: "),
        ("    config:\n", "    attributes:\n"),
    ];
    for (from, to) in aliases {
        assert!(REFUND_DESK.contains(from), "{from}");
        let text = REFUND_DESK.replace(from, to);
        assert_eq!(template(&text), long, "{from} as {to}");
    }
    let mut document = read(REFUND_DESK).document.unwrap();
    let sections = document.as_object_mut().unwrap();
    let mut workflow = sections.shift_remove("workflow").unwrap();
    workflow.as_object_mut().unwrap().extend(std::mem::take(sections));
    let nested = json!({ "workflow": workflow });
    assert_eq!(template(&nested.to_string()), long, "sections under workflow");
    assert_eq!(template(&workflow.to_string()), long, "everything at the top");
    assert_eq!(read_document(nested).template, Some(long));
}

#[test]
fn words_for_a_beta_are_kept() {
    for word in ["SIGMA", "HUMAN", "AI_AGENT", "AUTO"] {
        let from = "name: Clerk,    role_type: BETA";
        let template = template(&desk_with(from, &format!("name: Clerk, role_type: {word}")));
        let (_, clerk) = template.role("Clerk").unwrap();
        assert_eq!((clerk.kind, clerk.word()), (RoleKind::Beta, word));
    }
}

#[test]
fn a_new_unit_begins_at_the_first_way_without_a_guardian() {
    let second =
        "\n  - {name: intake_fast, role: Intake, interaction: Line_Queue, direction: OUTBOUND}";
    let line = "interaction: Requests,     direction: OUTBOUND}";
    let both = desk_with(line, &format!("{line}{second}"));
    let template_of_both = template(&both);
    assert_eq!(template_of_both.interactions[template_of_both.entry()].name, "Requests");
    let guarded = both.replacen(
        line,
        "interaction: Requests, direction: OUTBOUND, guardian: {type: PASS_THRU}}",
        1,
    );
    let template_of_guarded = template(&guarded);
    assert_eq!(template_of_guarded.interactions[template_of_guarded.entry()].name, "Line_Queue");
}

#[test]
fn a_template_is_told_from_a_graph() {
    let table = [
        (json!({ "roles": [], "interactions": [] }), true),
        (json!({ "workflow": { "roles": [], "interactions": [] } }), true),
        (json!({ "workflow": { "name": "a" }, "roles": [], "interactions": [] }), true),
        (json!({ "name": "a", "nodes": [], "edges": [] }), false),
        (json!({ "roles": [] }), false),
        (json!([1]), false),
        (json!(null), false),
    ];
    for (document, expected) in table {
        assert_eq!(is_template(&document), expected, "{document}");
    }
}

#[test]
fn everything_wrong_is_found_at_once() {
    let text = "\
workflow:
  name: ''
  version: 0
  colour: red
roles:
  - {name: Intake, role_type: ALFA}
  - {name: Worker, role_type: BETA, strategy: homogeneous}
  - {name: Worker, role_type: HUMAN}
  - nonsense
interactions:
  - {name: Requests, stale_token_limit_seconds: -1}
  - {role: x}
components:
  - {name: a, role: Intaek, interaction: Requests, direction: OUTBOUND}
  - {name: b, role: Worker, interaction: Worker, direction: IN}
  - {name: c, role: Worker, role_name: Worker, interaction: Requests, direction: INBOUND}
guardians:
  - {name: g, component: z, type: STANDARD, config: {timeout_seconds: 5}}
  - {name: g, component: a, type: CRITERIA_GATE, config: {field: total, operator: GTE}}
";
    let expected = [
        "bad-name 2:9",
        "bad-value 3:12",
        "unknown-field 4:3",
        "unknown-role-type 6:31",
        "r5 7:47",
        "duplicate-name 8:12",
        "r5 8:5",
        "bad-value 9:5",
        "bad-value 11:49",
        "missing-field 12:5",
        "unknown-field 12:6",
        "unknown-role 14:21",
        "not-bipartite 15:42",
        "r6 15:61",
        "duplicate-field 16:21",
        "unknown-component 18:26",
        "unknown-guardian-type 18:35",
        "duplicate-name 19:12",
        "missing-field 19:58",
        "unknown-operator 19:83",
    ];
    let mut found = found(text);
    // Of the roles and interactions that are lost, some rules speak as well.
    found.retain(|one| !one.starts_with("r7"));
    found.sort();
    let mut expected = expected.map(str::to_owned);
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn names_and_hints_are_in_the_findings() {
    let table = [
        (
            desk_with("type: PASS_THRU, config: {}}", "type: STANDARD, config: {}}"),
            "unknown-guardian-type",
            "`STANDARD` is no guardian_type of guardian `ate_guard`",
            "known: CERBERUS, PASS_THRU, CRITERIA_GATE, DIRECTIONAL_FILTER, TTL_CHECK, COMPOSITE, \
             CONDITIONAL_INJECTOR",
        ),
        (
            desk_with(
                "role: Payer,    interaction: Line_Queue,",
                "role: Player, interaction: Line_Queue,",
            ),
            "unknown-role",
            "component `pay_in` names the role `Player`, which is not there",
            "did you mean `Payer`?",
        ),
        (
            desk_with(
                "role: Payer,    interaction: Line_Queue,",
                "role: Payer, interaction: Clerk,",
            ),
            "not-bipartite",
            "component `pay_in` has `Clerk` as its interaction, which is a role",
            "a component joins a role with an interaction, nothing else",
        ),
        (
            desk_with("{name: Ate}", "{name: Settled}"),
            "duplicate-name",
            "there are two interactions called `Settled`",
            "the first is at /interactions/3/name",
        ),
        (
            desk_with("name: fast_default", "name: split_in_guardian"),
            "duplicate-name",
            "there are two guardians called `split_in_guardian`",
            "the first is at /components/1/guardian",
        ),
        (
            desk_with("component_name: split_fast", "component_name: split_fats"),
            "unknown-component",
            "guardian `fast_default` stands on `split_fats`, which is no component",
            "did you mean `split_fast`?",
        ),
        (
            desk_with("config: {}}", "config: {}, colour: red}"),
            "unknown-field",
            "guardian `ate_guard` has no field `colour`",
            "known: name, component_name, component, guardian_type, type, config, attributes, \
             description, ai_context",
        ),
    ];
    for (text, code, message, hint) in table {
        let findings = read(&text).findings;
        let one = findings.iter().find(|one| one.code == code);
        let one = one.unwrap_or_else(|| panic!("{code} is not in {findings:#?}"));
        assert_eq!((one.message.as_str(), one.hint.as_deref()), (message, Some(hint)));
        assert!(one.line.is_some_and(|line| line > 5), "{one:#?}");
    }
}

#[test]
fn what_is_no_template_at_all_is_refused_in_peace() {
    for text in ["", "[1, 2]", "12", "workflow: 3", "{}", "roles: {}\ninteractions: 7\n", "a: ["] {
        let checked = read(text);
        assert!(!checked.is_ok() && checked.error_count() > 0, "{text}");
    }
}

#[test]
fn there_are_bounds() {
    let many = |count: usize| -> String {
        (0..count).map(|index| format!("  - {{name: More_{index}}}\n")).collect()
    };
    let text = desk_with("components:\n", &format!("{}components:\n", many(495)));
    assert!(read(&text).findings.iter().any(|one| one.code == "too-many"));
    let long = desk_with("name: Ate}", &format!("name: {}}}", "a".repeat(201)));
    assert!(read(&long).findings.iter().any(|one| one.code == "bad-name"));
}

#[test]
fn what_the_documentation_shows_is_accepted() {
    let page = include_str!("../../../../../docs/templates.md");
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    let [guardians, policy] = blocks.as_slice() else { panic!("{} examples", blocks.len()) };
    let listed = guardians.strip_prefix("guardians:\n").unwrap();
    let checked = read(&desk_with("guardians:\n", &format!("guardians:\n{listed}")));
    assert_eq!(checked.findings, []);
    let indented: String = policy.lines().map(|line| format!("    {line}\n")).collect();
    let extra = format!(
        "guardians:\n  - name: shown\n    component_name: split_manual\n    type: PASS_THRU\n{indented}"
    );
    let checked = read(&desk_with("guardians:\n", &extra));
    assert!(checked.is_ok(), "{:#?}", checked.findings);
    for word in GuardianKind::WORDS {
        assert!(page.contains(word), "{word} is not described");
    }
}

#[test]
fn thousands_of_unknown_names_are_told_in_a_moment() {
    use std::fmt::Write as _;
    let long = "x".repeat(30);
    let mut text =
        String::from("workflow: {name: Large}\nroles: []\ninteractions: []\ncomponents:\n");
    for index in 0..2_000 {
        let _ = writeln!(
            text,
            "  - {{name: {long}{index}, role: r{long}{index}, interaction: i{index}}}"
        );
    }
    text.push_str("guardians:\n");
    for index in 0..4_000 {
        let _ = writeln!(
            text,
            "  - {{name: {long}{index}, component: {index}{long}, type: PASS_THRU}}"
        );
    }
    let findings = read(&text).findings;
    let unknown = findings.iter().filter(|one| one.code == "unknown-component").count();
    let hinted =
        findings.iter().filter(|one| one.code == "unknown-component" && one.hint.is_some());
    assert_eq!((unknown, hinted.count() <= 20), (4_000, true));
}
