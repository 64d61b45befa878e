use proptest::prelude::*;
use serde_json::json;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_export_reads_as_the_same_template(seed in any::<u64>()) {
        let text = examples::random(seed);
        let checked = read(&text);
        prop_assert!(checked.findings.is_empty(), "{:#?}\n{text}", checked.findings);
        let template = checked.template.expect("a template without findings");
        let yaml = template.to_yaml();
        let again = read(&yaml);
        prop_assert_eq!(again.template.as_ref(), Some(&template), "{:#?}\n{}", again.findings, yaml);
        let from_document = read_document(template.to_document());
        prop_assert_eq!(from_document.template.as_ref(), Some(&template));
        prop_assert_eq!(again.template.expect("the same").to_yaml(), yaml);
        prop_assert_eq!(examples::random(seed), text);
    }

    #[test]
    fn whatever_is_cut_out_of_a_template_it_is_read_without_a_panic(
        seed in any::<u64>(), from in 0_usize..4_000, length in 0_usize..60,
    ) {
        let text = examples::random(seed);
        let kept = |index: usize| index < from || index >= from + length;
        let cut: String = text.chars().enumerate().filter(|(at, _)| kept(*at)).map(|(_, c)| c).collect();
        let checked = read(&cut);
        prop_assert_eq!(checked.is_ok(), checked.error_count() == 0);
        if let Some(template) = checked.template {
            prop_assert_eq!(read(&template.to_yaml()).template, Some(template));
        }
    }
}

#[test]
fn the_example_is_written_under_its_long_names() {
    let template = template(REFUND_DESK);
    let document = template.to_document();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["workflow", "roles", "interactions", "components", "guardians"]);
    assert_eq!(
        document["workflow"],
        json!({
            "name": "Refund_Desk",
            "description": "Split a return into lines, pay small ones at once, let a clerk see big ones.",
            "version": 1,
            "ai_context": { "goal": "refund within a day" },
        })
    );
    assert_eq!(
        document["guardians"][0],
        json!({
            "name": "split_in_guardian",
            "component_name": "split_in",
            "guardian_type": "CRITERIA_GATE",
            "config": { "field": "total", "operator": "GT", "threshold": 0 },
        })
    );
    let yaml = template.to_yaml();
    assert!(yaml.contains("  - name: Splitter\n    role_type: BETA\n    strategy: HOMOGENEOUS\n"));
    assert!(yaml.contains("  - name: split_in\n    role_name: Splitter\n    interaction_name: Requests\n    direction: INBOUND\n"));
    assert_eq!(read(&yaml).findings, []);
    assert_eq!(read(&yaml).template, Some(template));
}

#[test]
fn a_picture_has_every_part_and_nothing_breaks_out_of_it() {
    let picture = dot(&template(REFUND_DESK));
    for line in [
        "digraph \"Refund_Desk\" {",
        "  r0 [shape=circle, color=green, label=\"Intake\\nALPHA\"];",
        "  r4 [shape=circle, color=black, label=\"Closer\\nOMEGA\"];",
        "  r5 [shape=circle, color=orange, label=\"Medic\\nEPSILON\"];",
        "  r6 [shape=circle, color=purple, label=\"Clock\\nTAU\"];",
        "  i0 [shape=hexagon, label=\"Requests\"];",
        "  r0 -> i0 [label=\"intake_out\"];",
        "  g0 [shape=doubleoctagon, label=\"split_in_guardian\\nCRITERIA_GATE\"];",
        "  i0 -> g0 [label=\"split_in\"];",
        "  g0 -> r1;",
    ] {
        assert!(picture.lines().any(|one| one == line), "{line}\n{picture}");
    }
    let name = r#"a"];\ x"#;
    let evil = template(&REFUND_DESK.replace("Clerk", &json!(name).to_string()));
    let picture = dot(&evil);
    assert!(picture.contains(r#"label="a\"];\\ x\nBETA"];"#), "{picture}");
}
