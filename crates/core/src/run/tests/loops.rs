use serde_json::json;

use super::harness::Run;
use crate::definition::check;
use crate::run::*;

const PAGES: &str = "
name: x
nodes:
  - { id: step, type: transform, config: { output: 2 } }
  - id: pages
    type: loop
    needs: [step]
    config:
      initial: 0
      until: \"item >= input.enough\"
      max_iterations: 4
      body:
        nodes:
          - { id: get, type: work }
          - { id: sum, type: transform, needs: [get], config: { output: \"{{ item + get.output * step.output }}\" } }
  - { id: after, type: transform, needs: [pages], config: { output: \"{{ pages.output }}\" } }
";

fn with(condition: &str) -> String {
    PAGES.replace("until: \"item >= input.enough\"", condition)
}

#[test]
fn iterations_come_one_after_the_other() {
    let mut run = Run::start(PAGES, json!({ "enough": 10 }));
    assert_eq!(run.steps(), ["step succeeded", "pages running", "pages[0].get queued"]);
    run.succeed("pages[0].get", json!(1)).unwrap();
    assert_eq!(run.steps(), ["step succeeded", "pages running", "pages[1].get queued"]);
    run.succeed("pages[1].get", json!(4)).unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!(10)));
    assert_eq!(run.state.counts.of(StepStatus::Succeeded), 3 + 2 * 2);
}

#[test]
fn a_while_is_asked_first() {
    let text = with("while: \"item < input.enough and index < 3\"");
    let run = Run::start(&text, json!({ "enough": 0 }));
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!(0)));
    let mut run = Run::start(&text, json!({ "enough": 1_000 }));
    for index in 0..3 {
        run.succeed(&format!("pages[{index}].get"), json!(1)).unwrap();
    }
    assert_eq!(run.output(), json!(6), "`index` is the iteration to come");
}

#[test]
fn a_loop_that_never_has_enough_is_ended() {
    let mut run = Run::start(PAGES, json!({ "enough": 1_000 }));
    for index in 0..4 {
        run.succeed(&format!("pages[{index}].get"), json!(1)).unwrap();
    }
    assert!(run.error().contains("too_many_iterations"), "{}", run.error());
    assert!(run.error().contains("4 times"));
}

#[test]
fn a_failed_iteration_fails_the_loop() {
    for policy in ["fail_fast", "continue_independent", "aggregate"] {
        let text = format!("{PAGES}on_failure: {policy}\n");
        let mut run = Run::start(&text, json!({ "enough": 10 }));
        run.succeed("pages[0].get", json!(1)).unwrap();
        run.fail("pages[1].get", "boom").unwrap();
        assert!(run.error().contains("boom"), "{policy}: {}", run.error());
        assert_eq!(run.status(), RunStatus::Failed);
    }
}

#[test]
fn a_condition_without_an_answer_fails_the_loop() {
    let run = Run::start(&with("while: \"item.more\""), json!(null));
    assert!(run.error().contains("/config/while"), "{}", run.error());
}

#[test]
fn cancelling_ends_the_iteration_under_way() {
    let mut run = Run::start(PAGES, json!({ "enough": 10 }));
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.state.outstanding().count(), 0);
}

#[test]
fn loops_and_maps_nest() {
    let text = "
name: x
nodes:
  - id: rounds
    type: loop
    config:
      initial: []
      until: index == 1
      body:
        nodes:
          - id: each
            type: map
            config:
              items: [1, 2]
              body: { nodes: [{ id: work, type: work }] }
          - { id: both, type: transform, needs: [each], config: { output: \"{{ item + each.output }}\" } }
";
    let mut run = Run::start(text, json!(null));
    for path in ["rounds[0].each[1].work", "rounds[0].each[0].work"] {
        run.succeed(path, json!(path)).unwrap();
    }
    for path in ["rounds[1].each[0].work", "rounds[1].each[1].work"] {
        run.succeed(path, json!(path)).unwrap();
    }
    let expected = [
        "rounds[0].each[0].work",
        "rounds[0].each[1].work",
        "rounds[1].each[0].work",
        "rounds[1].each[1].work",
    ];
    assert_eq!(run.output(), json!(expected));
}

#[test]
fn a_loop_has_one_condition() {
    let found = |condition: &str| {
        let checked = check(&with(condition), &super::harness::kinds());
        let messages: Vec<String> =
            checked.findings.iter().map(|one| format!("{} {}", one.path, one.message)).collect();
        messages.join("; ")
    };
    assert!(found("concurrency: 1").contains("concurrency"), "{}", found("concurrency: 1"));
    assert!(found("initial2: 1").contains("`initial2` is not known"));
    let both = found("until: item > 1\n      while: item > 1");
    assert!(both.contains("either `while` or `until`"), "{both}");
    assert!(found("until: itme > 1").contains("itme"));
    assert!(found("until: item > 1").is_empty(), "{}", found("until: item > 1"));
}
