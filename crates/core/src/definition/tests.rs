use serde_json::Value;

use super::*;
use crate::kinds::Kinds;

/// Findings as `code line:column path`, which is what a table can show at a glance.
fn found(text: &str) -> Vec<String> {
    let checked = check(text, &Kinds::pure());
    assert_eq!(checked.is_ok(), checked.error_count() == 0);
    checked
        .findings
        .iter()
        .map(|one| {
            let at = |number: Option<u32>| {
                number.map_or_else(|| "-".into(), |number| number.to_string())
            };
            format!("{} {}:{} {}", one.code, at(one.line), at(one.column), one.path)
        })
        .collect()
}

fn plan(text: &str) -> Plan {
    let checked = check(text, &Kinds::pure());
    checked.plan.unwrap_or_else(|| panic!("{:#?}", checked.findings))
}

#[test]
fn everything_wrong_is_found_at_once() {
    let text = "\
name: Bad
inptu: {}
on_failure: explode
nodes:
  - id: a
    type: tranform
    config: { output: 1 }
  - id: b
    type: transform
    config: { outptu: \"{{ nope.output }}\", output: \"{{ input.x + }}\" }
    retry: { max_attempts: 0 }
  - id: b
    type: transform
    config: { output: 1 }
  - id: c
    type: conditional
    when: \"len(vars.x\"
    config: { condition: \"a.outptu > 1\", true_edge: nowhere }
    needs: [missing]
  - id: 9d
    type: fail
    config: {}
edges:
  - { source: a, target: gone }
  - { source: a, target: b, on: sucess }
";
    assert_eq!(
        found(text),
        [
            "unknown-field 2:1 /inptu",
            "bad-value 3:13 /on_failure",
            "unknown-kind 6:11 /nodes/0/type",
            "unknown-field 10:15 /nodes/1/config/outptu",
            "unknown-name 10:27 /nodes/1/config/outptu",
            "syntax 10:66 /nodes/1/config/output",
            "bad-value 11:12 /nodes/1/retry",
            "bad-value 11:28 /nodes/1/retry/max_attempts",
            "duplicate-id 12:9 /nodes/2/id",
            "syntax 17:22 /nodes/3/when",
            "not-upstream 18:26 /nodes/3/config/condition",
            "missing-field 18:29 /nodes/3/config/condition",
            "unknown-node 18:53 /nodes/3/config/true_edge",
            "unknown-node 19:13 /nodes/3/needs/0",
            "bad-id 20:9 /nodes/4/id",
            "bad-value 22:13 /nodes/4/config",
            "unknown-node 24:26 /edges/0/target",
            "bad-value 25:33 /edges/1/on",
        ]
    );
}

#[test]
fn findings_help() {
    let checked = check("name: x\nnodes:\n  - {id: a, tpye: fail}\n", &Kinds::pure());
    let hints: Vec<&str> = checked.findings.iter().filter_map(|one| one.hint.as_deref()).collect();
    assert_eq!(
        hints,
        [
            "known: actor, approval, conditional, delay, end, fail, loop, map, start, switch, transform, try, wait_event, wait_signal, worker, workflow",
            "did you mean `type`?",
        ]
    );
}

fn nodes(lines: &str) -> String {
    format!("name: x\nnodes:\n{lines}")
}

#[test]
fn cycles_are_named() {
    let text = nodes(
        "  - {id: a, type: end, needs: [c]}\n  - {id: b, type: end, needs: [a]}\n  \
         - {id: c, type: end, needs: [b]}\n  - {id: d, type: end, needs: [c]}\n  \
         - {id: e, type: end, needs: [e]}\n",
    );
    let checked = check(&text, &Kinds::pure());
    let messages: Vec<&str> = checked.findings.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "these nodes wait for each other: b → c → a → b",
            "these nodes wait for each other: e → e",
        ]
    );
}

#[test]
fn nodes_nothing_leads_to_are_reported_where_there_is_a_start() {
    let text = nodes(
        "  - {id: s, type: start}\n  - {id: a, type: end, needs: [s]}\n  - {id: b, type: end}\n  \
         - {id: c, type: end, needs: [b]}\n",
    );
    assert_eq!(found(&text), ["unreachable 5:5 /nodes/2", "unreachable 6:5 /nodes/3"]);
    assert_eq!(found(&nodes("  - {id: a, type: end}\n  - {id: b, type: end}\n")), [""; 0]);
}

#[test]
fn types_are_checked_against_the_input_schema() {
    let text = "\
name: x
input:
  type: object
  properties: { amount: { type: number }, who: { type: string } }
  additionalProperties: false
nodes:
  - id: a
    type: conditional
    when: input.who > 3
    config: { condition: \"{{input.amuont}} > 10\", true_edge: b }
  - id: b
    type: transform
    when: input.amount
    config: { output: \"{{ a.output.resutl }} {{ input.who == 3 }}\" }
";
    assert_eq!(
        found(text),
        [
            "type-mismatch 9:17 /nodes/0/when",
            "missing-field 10:27 /nodes/0/config/condition",
            "type-mismatch 13:11 /nodes/1/when",
            "missing-field 14:36 /nodes/1/config/output",
            "always-false 14:55 /nodes/1/config/output",
        ]
    );
}

#[test]
fn reading_what_has_not_run_is_a_warning() {
    let text = nodes(
        "  - {id: a, type: transform, config: {output: '{{ b.output }}'}}\n  \
         - {id: b, type: transform, needs: [a], config: {output: '{{ a.output }}'}}\n",
    );
    assert_eq!(found(&text), ["not-upstream 3:47 /nodes/0/config/output"]);
    assert!(check(&text, &Kinds::pure()).is_ok());
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let text = nodes(
        "  - {id: a, type: transform, config: {output: 1}, retry: {}, timeout: 1s, effect: never}\n",
    );
    assert_eq!(
        found(&text),
        [
            "bad-value 3:58 /nodes/0/retry",
            "bad-value 3:71 /nodes/0/timeout",
            "bad-value 3:83 /nodes/0/effect",
        ]
    );
}

#[test]
fn the_workflow_service_document_is_valid_as_it_stands() {
    let text = r#"{
      "name": "Customer Support Workflow",
      "description": "Routes a message",
      "nodes": [
        {"id": "start", "type": "start", "config": {}},
        {"id": "look", "type": "transform", "config": {"output": {"category": "{{input.message}}"}}},
        {"id": "route", "type": "conditional", "config": {
          "condition": "{{look.output.category}} == 'technical'",
          "true_edge": "technical", "false_edge": "general"}},
        {"id": "technical", "type": "transform", "config": {"output": "t"}},
        {"id": "general", "type": "transform", "config": {"output": "g"}}
      ],
      "edges": [
        {"source": "start", "target": "look"},
        {"source": "look", "target": "route"},
        {"source": "route", "target": "technical"},
        {"source": "route", "target": "general"}
      ]
    }"#;
    assert_eq!(found(text), [""; 0]);
    let plan = plan(text);
    let route = plan.graph.node("route").unwrap();
    assert!(route.edges.iter().all(|edge| edge.is_branch));
    assert_eq!(plan.graph.ends.len(), 2);
}

#[test]
fn bodies_see_outer_nodes_and_their_item() {
    let text = "\
name: x
nodes:
  - id: base
    type: transform
    config: { output: 10 }
  - id: each
    type: map
    needs: [base]
    config:
      items: [1, 2]
      body:
        nodes:
          - { id: add, type: transform, config: { output: \"{{ base.output + item }}\" } }
          - id: inner
            type: map
            needs: [add]
            config:
              items: \"{{ range(add.output) }}\"
              body:
                nodes:
                  - { id: deep, type: transform, config: { output: \"{{ add.output + item }}\" } }
        output: \"{{ inner.output }}\"
  - id: after
    type: transform
    needs: [each]
    config: { output: \"{{ item }} {{ add.output }}\" }
";
    assert_eq!(
        found(text),
        ["unknown-name 26:27 /nodes/2/config/output", "unknown-name 26:38 /nodes/2/config/output",]
    );
    let text = text.replace("{{ item }} {{ add.output }}", "{{ each.output }}");
    let plan = plan(&text);
    let (_, deep) = plan.locate("each[1].inner[0].deep").unwrap();
    assert_eq!(deep.id, "deep");
    assert_eq!(plan.graph_of("each[1].inner[0]").unwrap().nodes.len(), 1);
    assert_eq!(plan.graph_of("").unwrap().nodes.len(), 3);
    assert!(plan.locate("each[1].nope").is_none());
}

#[test]
fn every_way_to_write_a_graph_is_refused_without_a_panic() {
    let values: [&str; 8] = ["1", "[]", "null", "'x'", "{}", "{a: 1}", "[{}]", "[[1]]"];
    for field in
        ["name", "nodes", "edges", "input", "vars", "labels", "output", "on_failure", "triggers"]
    {
        for value in values {
            let _ = found(&format!("{field}: {value}\n"));
            let _ = found(&format!("name: x\nnodes: [{{id: a, type: end}}]\n{field}: {value}\n"));
        }
    }
    for field in
        ["id", "type", "kind", "config", "needs", "when", "join", "retry", "timeout", "on_failure"]
    {
        for value in values {
            let _ = found(&nodes(&format!("  - {{id: a, type: map, {field}: {value}}}\n")));
        }
    }
    for value in values {
        let _ = found(&nodes(&format!("  - {{id: a, type: map, config: {{body: {value}}}}}\n")));
    }
}

#[test]
fn the_schema_describes_every_field() {
    let defs = schema().get("$defs").and_then(Value::as_object).unwrap();
    for (name, schema) in defs {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (field, schema) in properties.into_iter().flatten() {
            assert!(schema.get("description").is_some(), "{name}.{field}");
        }
    }
}

#[test]
fn a_value_that_its_type_refuses_is_found_and_hides_nothing() {
    let found = |node: &str| -> Vec<String> {
        let text = format!("name: x\nnodes:\n  - {{id: a, {node}}}\n  - {{id: b, type: nope}}\n");
        let findings = check(&text, &Kinds::pure()).findings;
        findings.iter().map(|finding| format!("{} {}", finding.path, finding.message)).collect()
    };
    let expected =
        "expected a duration with its unit, such as `10ms`, `3s` or `1h30m`, got `3parsecs`";
    for (node, path) in [
        ("type: transform, timeout: 3parsecs", "/nodes/0/timeout"),
        ("type: transform, retry: {delay: 3parsecs}", "/nodes/0/retry/delay"),
        ("type: delay, config: {duration: 3parsecs}", "/nodes/0/config/duration"),
    ] {
        let found = found(node);
        assert!(found.contains(&format!("{path} {expected}")), "{node}: {found:?}");
        assert!(found.iter().any(|one| one.contains("`nope`")), "{node}: {found:?}");
    }
    for node in ["type: transform, timeout: 999y", "type: delay, config: {duration: 999y}"] {
        let found = found(node);
        assert!(found[0].contains("ten years"), "{node}: {found:?}");
    }
    // A template in one field does not hide what is wrong with another.
    let found = found("type: map, config: {items: '{{ [1] }}', concurrency: 0, body: {nodes: []}}");
    assert!(found.iter().any(|one| one.contains("concurrency")), "{found:?}");
}

#[test]
fn a_trigger_names_its_source_and_the_ends_it_listens_for() {
    use crate::run::RunStatus::{Cancelled, Failed, Succeeded};
    let of = |triggers: &str| {
        let text = format!("name: Alert\nnodes: [{{id: a, type: end}}]\ntriggers:\n{triggers}");
        let plan = plan(&text);
        let shown = |one: &Trigger| (one.source.clone(), one.statuses.clone());
        plan.triggers.iter().map(shown).collect::<Vec<_>>()
    };
    assert_eq!(
        of("  - {on: run, source: 'shop:nightly'}\n"),
        [("shop:nightly".to_owned(), vec![Succeeded, Failed, Cancelled])]
    );
    assert_eq!(of("  - {on: run, source: A, status: failed}\n"), [("A".to_owned(), vec![Failed])]);
    let two = "  - {on: run, source: A, status: [cancelled, failed, failed]}
  - {on: run, source: A, status: succeeded, input: 1}\n";
    assert_eq!(
        of(two),
        [("A".to_owned(), vec![Failed, Cancelled]), ("A".to_owned(), vec![Succeeded])]
    );
}

#[test]
fn what_is_wrong_with_a_trigger_is_found() {
    let text = "\
name: Alert
nodes: [{id: a, type: end}]
triggers:
  - {on: run, source: Alert}
  - {on: tide, source: A}
  - {on: run, source: B, status: done}
  - {on: run, source: C, status: []}
  - {on: run, source: '', where: here}
";
    assert_eq!(
        found(text),
        [
            "bad-value 5:10 /triggers/1/on",
            "bad-value 6:34 /triggers/2/status",
            "unknown-field 8:27 /triggers/4/where",
        ]
    );
    let text = "\
name: Alert
nodes: [{id: a, type: end}]
triggers:
  - {on: run, source: Alert}
  - {on: run, source: B, status: [failed, succeeded]}
  - {on: run, source: B, status: failed}
  - {on: run, source: C, status: []}
  - {on: run, source: ' '}
  - {on: run, source: D, input: {a: '{{ input.x }}', c: '{{ secrets.k }}'}}
  - {on: run, source: E, input: '{{ run.end }}'}
";
    assert_eq!(
        found(text),
        [
            "self-trigger 4:23 /triggers/0/source",
            "duplicate-trigger 6:5 /triggers/2",
            "bad-value 7:34 /triggers/3/status",
            "bad-value 8:23 /triggers/4/source",
            "unknown-name 9:41 /triggers/5/input/a",
            "unknown-name 9:61 /triggers/5/input/c",
            "missing-field 10:41 /triggers/6/input",
        ]
    );
}

#[test]
fn the_input_of_a_triggered_run_is_the_run_that_has_ended_or_what_the_trigger_says() {
    use serde_json::json;
    let run = json!({ "id": "7", "status": "failed", "error": null, "input": { "day": 3 } });
    let input_of = |trigger: &str| {
        let text = format!(
            "name: Alert\nvars: {{to: ops}}\nnodes: [{{id: a, type: end}}]\ntriggers: [{trigger}]\n"
        );
        let plan = plan(&text);
        plan.triggers[0].input_of(&plan, &run, crate::Time::from_micros(0))
    };
    let bare = input_of("{on: run, source: A}").unwrap();
    assert_eq!(bare, json!({ "run": run }));
    let input = "{day: '{{ run.input.day }}', text: 'to {{ vars.to }}: {{ run.status }}'}";
    let said = input_of(&format!("{{on: run, source: A, input: {input}}}")).unwrap();
    assert_eq!(said, json!({ "day": 3, "text": "to ops: failed" }));
    let failure = input_of("{on: run, source: A, input: '{{ run.input.night }}'}").unwrap_err();
    assert_eq!(failure.code, "expression");
    assert!(failure.message.starts_with("/input, character 14: "), "{}", failure.message);
}
