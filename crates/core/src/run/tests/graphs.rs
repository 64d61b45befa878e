use serde_json::json;

use super::harness::Run;
use crate::run::*;
use crate::time::Time;

#[test]
fn pure_nodes_run_ahead() {
    let text = "
name: x
nodes:
  - { id: s, type: start }
  - { id: a, type: transform, needs: [s], config: { output: \"{{ s.output.n + 1 }}\" } }
  - { id: b, type: end, needs: [a] }
";
    let run = Run::start(text, json!({ "n": 1 }));
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(run.output(), json!(2));
    assert_eq!(
        run.facts(),
        [
            "run_created",
            "run_started",
            "step_succeeded s",
            "step_succeeded a",
            "step_succeeded b",
            "run_succeeded"
        ]
    );
}

/// `body` is a graph in a `map`, and a value in whatever else has a field of that name.
#[test]
fn a_config_reaches_its_attempt_whole() {
    let text = "
name: x
nodes:
  - { id: a, type: work, config: { url: \"{{ input.url }}\", body: { n: \"{{ input.n + 1 }}\" }, items: [1] } }
";
    let run = Run::start(text, json!({ "url": "u", "n": 1 }));
    let input = run.state.step("a").unwrap().input.clone().unwrap();
    assert_eq!(*input, json!({ "url": "u", "body": { "n": 2 }, "items": [1] }));
}

const BRANCH: &str = "
name: x
nodes:
  - id: is_large
    type: conditional
    config: { condition: \"input.amount > 100\", true_edge: ask, false_edge: pay }
  - { id: ask, type: work }
  - { id: confirm, type: work, needs: [ask] }
  - { id: pay, type: work }
  - { id: done, type: end, needs: [confirm, pay] }
";

#[test]
fn a_branch_skips_the_other_way_and_the_join_runs_once() {
    let mut run = Run::start(BRANCH, json!({ "amount": 50 }));
    assert_eq!(
        run.steps(),
        [
            "is_large succeeded",
            "ask skipped (not_taken)",
            "pay queued",
            "confirm skipped (not_taken)",
            "done pending",
        ]
    );
    run.succeed("pay", json!("paid")).unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!("paid")));
    assert_eq!(run.state.counts.of(StepStatus::Skipped), 2);
    assert_eq!(run.state.counts.total(), 5);
}

#[test]
fn when_everything_that_leads_to_a_join_is_skipped_so_is_the_join() {
    let text = BRANCH
        .replace(", false_edge: pay", "")
        .replace("id: pay, type: work", "id: pay, type: work, needs: [confirm]");
    let run = Run::start(&text, json!({ "amount": 50 }));
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(run.output(), json!(null));
    assert_eq!(run.state.counts.of(StepStatus::Skipped), 4);
}

#[test]
fn a_switch_goes_by_value() {
    let text = "
name: x
nodes:
  - id: route
    type: switch
    config: { value: \"{{ input }}\", cases: { a: one, \"7\": two, \"true\": two }, default: rest }
  - { id: one, type: transform, config: { output: one } }
  - { id: two, type: transform, config: { output: two } }
  - { id: rest, type: transform, config: { output: rest } }
output: \"{{ one.output if one.output != null else two.output if two.output != null else rest.output }}\"
";
    for (input, output) in
        [(json!("a"), "one"), (json!(7), "two"), (json!(true), "two"), (json!("z"), "rest")]
    {
        assert_eq!(Run::start(text, input).output(), json!(output));
    }
    assert!(Run::start(text, json!([1])).error().contains("type_mismatch"));
}

#[test]
fn when_decides_at_the_nodes_turn() {
    let text = "
name: x
nodes:
  - { id: a, type: work }
  - { id: b, type: work, needs: [a], when: \"a.output.go\" }
  - { id: c, type: transform, needs: [b], config: { output: \"{{ b.status }}\" } }
edges:
  - { source: a, target: c, when: \"not a.output.go\" }
";
    let mut run = Run::start(text, json!(null));
    run.succeed("a", json!({ "go": false })).unwrap();
    assert_eq!(run.steps(), ["a succeeded", "c succeeded", "b skipped (condition)"]);
    assert_eq!(run.output(), json!("skipped"));
}

#[test]
fn joins_can_be_told_what_to_wait_for() {
    let text = |join: &str| {
        format!(
            "
name: x
nodes:
  - {{ id: a, type: work }}
  - {{ id: b, type: work }}
  - {{ id: c, type: work, when: \"false\" }}
  - {{ id: j, type: transform, needs: [a, b, c], join: {join}, config: {{ output: 1 }} }}
"
        )
    };
    let table = [
        ("any", StepStatus::Succeeded, StepStatus::Succeeded),
        ("{count: 2}", StepStatus::Pending, StepStatus::Succeeded),
        ("{count: 3}", StepStatus::Skipped, StepStatus::Skipped),
        ("all", StepStatus::Skipped, StepStatus::Skipped),
    ];
    for (join, after_one, after_two) in table {
        let mut run = Run::start(&text(join), json!(null));
        run.succeed("a", json!(1)).unwrap();
        assert_eq!(run.state.step("j").unwrap().status, after_one, "{join}");
        run.succeed("b", json!(1)).unwrap();
        assert_eq!(run.state.step("j").unwrap().status, after_two, "{join}");
        assert_eq!(run.status(), RunStatus::Succeeded, "{join}");
    }
}

#[test]
fn a_delay_waits_and_hands_on() {
    let text = "
name: x
nodes:
  - { id: a, type: transform, config: { output: 7 } }
  - { id: w, type: delay, needs: [a], config: { duration: \"{{ input }}\" } }
";
    let mut run = Run::start(text, json!("2s"));
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Waiting, Some("timer")));
    assert!(run.state.is_parked());
    let due = Time::from_micros(3_000_000);
    assert_eq!(run.state.next_due(), Some(due));
    assert_eq!(run.fire("w"), Err(Refused::TooEarly { path: "w".into(), until: due }));
    run.wait(2_000);
    run.fire("w").unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!(7)));
    assert_eq!(run.fire("w"), Err(Refused::Finished(RunStatus::Succeeded)));
    assert!(Run::start(text, json!("soon")).error().contains("bad_config"));
}

#[test]
fn outputs_follow_from_the_ends() {
    let two = "name: x\nnodes:\n  - {id: a, type: transform, config: {output: 1}}\n  \
               - {id: b, type: transform, config: {output: 2}}\n";
    assert_eq!(Run::start(two, json!(null)).output(), json!({ "a": 1, "b": 2 }));
    let end = format!("{two}  - {{id: e, type: end, needs: [a]}}\n");
    assert_eq!(Run::start(&end, json!(null)).output(), json!(1));
    let joined = format!("{two}  - {{id: e, type: end, needs: [a, b]}}\n");
    assert_eq!(Run::start(&joined, json!(null)).output(), json!({ "a": 1, "b": 2 }));
    let written = format!("{two}output: {{ sum: \"{{{{ a.output + b.output }}}}\" }}\n");
    assert_eq!(Run::start(&written, json!(null)).output(), json!({ "sum": 3 }));
}

#[test]
fn an_input_must_fit() {
    let text = "name: x\ninput: {type: object, required: [n]}\nnodes: [{id: a, type: end}]\n";
    let plan = super::harness::plan(text);
    let request = |input| CreateRun { version: 1, input, ..CreateRun::default() };
    let now = Time::from_micros(0);
    let refused = create(&plan, request(json!({})), now);
    assert!(matches!(refused, Err(Refused::BadInput(violations)) if violations.len() == 1));
    let refused = create(&plan, request(json!({ "n": "x".repeat(20_000_000) })), now);
    assert!(matches!(refused, Err(Refused::InputTooLarge { .. })));
}
