use serde_json::json;

use super::harness::Run;
use crate::run::*;

const EACH: &str = "
name: x
nodes:
  - id: each
    type: map
    config:
      items: \"{{ input }}\"
      body:
        nodes:
          - { id: do, type: work }
          - { id: then, type: transform, needs: [do], config: { output: \"{{ [index, item, do.output] }}\" } }
  - { id: after, type: transform, needs: [each], config: { output: \"{{ len(each.output) }}\" } }
output: [\"{{ each.output }}\", \"{{ after.output }}\"]
";

#[test]
fn results_come_in_the_order_of_the_items() {
    let mut run = Run::start(EACH, json!(["a", "b"]));
    assert_eq!(run.steps(), ["each running", "each[0].do queued", "each[1].do queued"]);
    assert_eq!(run.state.counts.total(), 2 + 2 * 2);
    run.succeed("each[1].do", json!(1)).unwrap();
    assert_eq!(run.steps(), ["each running", "each[0].do queued"], "finished items leave memory");
    run.succeed("each[0].do", json!(0)).unwrap();
    assert_eq!(run.output(), json!([[[0, "a", 0], [1, "b", 1]], 2]));
    assert_eq!(run.state.counts.of(StepStatus::Succeeded), 6);
}

#[test]
fn an_empty_list_is_an_empty_list() {
    assert_eq!(Run::start(EACH, json!([])).output(), json!([[], 0]));
    assert!(Run::start(EACH, json!("x")).error().contains("`items` must be a list"));
}

#[test]
fn concurrency_is_kept() {
    let text = EACH.replace("items:", "concurrency: 2\n      items:");
    let mut run = Run::start(&text, json!([1, 2, 3, 4, 5]));
    let mut seen_most = 0;
    for _ in 0..5 {
        let under_way: Vec<String> = run.state.outstanding().map(path_of).collect();
        seen_most = seen_most.max(under_way.len());
        assert!(under_way.len() <= 2);
        run.succeed(&under_way[0], json!(null)).unwrap();
    }
    assert_eq!((seen_most, run.status()), (2, RunStatus::Succeeded));
}

fn path_of(effect: Effect) -> String {
    match effect {
        Effect::MakeAttempt { path, .. }
        | Effect::StopAttempt { path }
        | Effect::SetTimer { path, .. } => path,
    }
}

#[test]
fn items_are_opened_in_batches() {
    let run = Run::start(EACH, (0..2_500).collect());
    let batches: Vec<(u32, u32)> = run
        .events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::ItemsOpened { from, to, .. } => Some((*from, *to)),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [(0, 1_000), (1_000, 2_000), (2_000, 2_500)]);
}

#[test]
fn under_fail_fast_a_failed_item_stops_the_others() {
    let mut run = Run::start(EACH, json!([1, 2, 3]));
    run.succeed("each[0].do", json!(0)).unwrap();
    run.fail("each[1].do", "boom").unwrap();
    assert_eq!(run.error(), "each[1].do: it did not work (boom)");
    assert_eq!(run.steps(), ["each failed", "after skipped (run_failed)"]);
    let count = |status| run.state.counts.of(status);
    assert_eq!(count(StepStatus::Succeeded), 2);
    assert_eq!(count(StepStatus::Failed), 2);
    assert_eq!(count(StepStatus::Cancelled), 1);
    assert_eq!(count(StepStatus::Skipped), 3);
    assert_eq!(count(StepStatus::Pending), 0);
}

#[test]
fn otherwise_all_items_run_before_the_block_fails() {
    let text = format!("{EACH}on_failure: aggregate\n");
    let mut run = Run::start(&text, json!([1, 2, 3]));
    run.fail("each[0].do", "boom").unwrap();
    run.fail("each[2].do", "bang").unwrap();
    assert_eq!(run.status(), RunStatus::Running);
    run.succeed("each[1].do", json!(0)).unwrap();
    assert_eq!(run.error(), "each[0].do: 2 steps failed; the first: it did not work (boom)");
}

#[test]
fn a_failed_block_can_be_provided_for() {
    let text = EACH
        .replace("    type: map\n", "    type: map\n    on_failure: continue\n")
        .replace("len(each.output)", "each.error.code");
    let mut run = Run::start(&text, json!([1, 2]));
    run.fail("each[1].do", "boom").unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!([null, "boom"])));
}

const NESTED: &str = "
name: x
nodes:
  - { id: base, type: transform, config: { output: 10 } }
  - id: rows
    type: map
    needs: [base]
    config:
      items: [[1, 2], [3]]
      body:
        nodes:
          - { id: row, type: transform, config: { output: \"{{ item }}\" } }
          - id: cells
            type: map
            needs: [row]
            config:
              items: \"{{ row.output }}\"
              body:
                nodes:
                  - { id: cell, type: work, config: { n: \"{{ base.output + item }}\" } }
                output: \"{{ cell.output }}\"
        output: \"{{ cells.output }}\"
  - { id: other, type: work }
output: \"{{ rows.output }}\"
";

#[test]
fn blocks_nest() {
    let mut run = Run::start(NESTED, json!(null));
    let input = run.state.step("rows[1].cells[0].cell").unwrap().input.clone().unwrap();
    assert_eq!(*input, json!({ "n": 13 }));
    run.succeed("other", json!(0)).unwrap();
    for (path, output) in [
        ("rows[1].cells[0].cell", "c"),
        ("rows[0].cells[1].cell", "b"),
        ("rows[0].cells[0].cell", "a"),
    ] {
        run.succeed(path, json!(output)).unwrap();
    }
    assert_eq!(run.output(), json!([["a", "b"], ["c"]]));
}

#[test]
fn cancelling_reaches_the_innermost_block() {
    let mut run = Run::start(NESTED, json!(null));
    run.succeed("rows[0].cells[0].cell", json!("a")).unwrap();
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.state.counts.of(StepStatus::Pending), 0);
    // Two cells, the two inner blocks, the outer one and `other`.
    assert_eq!(run.state.counts.of(StepStatus::Cancelled), 6);
    assert_eq!(run.state.outstanding().count(), 0);
}

#[test]
fn a_failure_inside_goes_outwards_block_by_block() {
    let mut run = Run::start(NESTED, json!(null));
    run.fail("rows[0].cells[1].cell", "boom").unwrap();
    assert_eq!(run.error(), "rows[0].cells[1].cell: it did not work (boom)");
    assert_eq!(run.state.counts.of(StepStatus::Failed), 3);
    assert_eq!(run.state.counts.of(StepStatus::Pending), 0);
}

#[test]
fn a_list_of_outputs_that_is_too_large_fails_the_block() {
    let mut run = Run::start(EACH, json!([1, 2, 3]));
    for index in 0..3 {
        run.succeed(&format!("each[{index}].do"), json!("x".repeat(8_000_000))).unwrap();
    }
    assert!(run.error().contains("payload_too_large"));
}

fn each_with(setting: &str) -> String {
    EACH.replace("items:", &format!("{setting}\n      items:"))
}

#[test]
fn results_can_have_keys() {
    let text = each_with("key: \"{{ item.id }}\"").replace("len(each.output)", "each.output.b[2]");
    let mut run = Run::start(&text, json!([{ "id": "a" }, { "id": "b" }]));
    run.succeed("each[1].do", json!(1)).unwrap();
    run.succeed("each[0].do", json!(0)).unwrap();
    let each = json!({ "a": [0, { "id": "a" }, 0], "b": [1, { "id": "b" }, 1] });
    assert_eq!(run.output(), json!([each, 1]));
    let twice = Run::start(&text, json!([{ "id": "a" }, { "id": "a" }]));
    assert!(twice.error().contains("two items have the key `a`"), "{}", twice.error());
    let none = Run::start(&text, json!([{ "id": "a" }, { "id": [] }]));
    assert!(none.error().contains("the key of item 1 is a list"), "{}", none.error());
    let missing = Run::start(&text, json!([{ "no": 1 }]));
    assert!(missing.error().contains("/config/key"), "{}", missing.error());
}

#[test]
fn items_can_come_in_batches() {
    let mut run = Run::start(&each_with("batch_size: 2"), json!([1, 2, 3]));
    run.succeed("each[0].do", json!("a")).unwrap();
    run.succeed("each[1].do", json!("b")).unwrap();
    assert_eq!(run.output(), json!([[[0, [1, 2], "a"], [1, [3], "b"]], 2]));
}

#[test]
fn items_may_fail_as_many_as_are_tolerated() {
    let mut run = Run::start(&each_with("on_item_failure: continue"), json!([1, 2, 3]));
    run.fail("each[0].do", "boom").unwrap();
    run.succeed("each[1].do", json!("b")).unwrap();
    run.fail("each[2].do", "boom").unwrap();
    assert_eq!(run.output(), json!([[null, [1, 2, "b"], null], 3]));

    let tolerant = each_with("on_item_failure: { tolerate: 1 }\n      concurrency: 2");
    let mut run = Run::start(&tolerant, json!([1, 2, 3, 4]));
    run.fail("each[0].do", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Running);
    run.fail("each[1].do", "bang").unwrap();
    assert!(run.error().contains("bang"), "the one too many: {}", run.error());
    assert_eq!(run.state.outstanding().count(), 0, "the others were stopped");

    let strict =
        format!("{}on_failure: continue_independent\n", each_with("on_item_failure: stop"));
    let mut run = Run::start(&strict, json!([1, 2]));
    run.fail("each[0].do", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Failed);
}

#[test]
fn defaults_hold_for_what_acts_outside() {
    let text = "
name: x
defaults: { retry: { max_attempts: 2, delay: 1s }, timeout: 5s }
nodes:
  - { id: a, type: work }
  - { id: b, type: work, retry: { max_attempts: 1 }, timeout: 1s }
  - { id: c, type: transform, config: { output: 1 } }
";
    let mut run = Run::start(text, json!(null));
    let timeout =
        |id: &str| run.plan.locate(id).unwrap().1.timeout.map(|timeout| timeout.to_string());
    assert_eq!(["a", "b", "c"].map(timeout), [Some("5s".into()), Some("1s".into()), None]);
    run.fail("a", "boom").unwrap();
    assert_eq!(run.state.step("a").unwrap().status, StepStatus::BackingOff);
    run.fail("b", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Failed);
}
