use serde_json::json;

use super::harness::{Run, kinds};
use crate::definition::check;
use crate::run::*;

const GUARD: &str = "
name: x
nodes:
  - id: guard
    type: try
    config:
      body:
        nodes:
          - { id: risky, type: work }
          - { id: more, type: work, needs: [risky] }
      catch:
        - on: [boom, http_5xx]
          body:
            nodes:
              - { id: instead, type: work, config: { why: \"{{ error.message }}\" } }
              - { id: said, type: transform, needs: [instead], config: { output: \"{{ error.code }}\" } }
        - on: [late]
          body: { nodes: [{ id: other, type: transform, config: { output: 2 } }] }
      finally:
        nodes:
          - { id: clean, type: work, config: { failed: \"{{ error != null }}\" } }
  - { id: after, type: transform, needs: [guard], config: { output: \"{{ guard.output }}\" } }
";

#[test]
fn a_body_that_succeeds_is_cleaned_up_after() {
    let mut run = Run::start(GUARD, json!(null));
    assert_eq!(run.steps(), ["guard running", "guard[0].risky queued"]);
    run.succeed("guard[0].risky", json!(1)).unwrap();
    run.succeed("guard[0].more", json!("done")).unwrap();
    assert_eq!(run.steps(), ["guard running", "guard[3].clean queued"]);
    assert_eq!(
        **run.state.step("guard[3].clean").unwrap().input.as_ref().unwrap(),
        json!({ "failed": false })
    );
    run.succeed("guard[3].clean", json!(null)).unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!("done")));
}

#[test]
fn the_catch_for_the_code_runs_and_then_the_clean_up() {
    let mut run = Run::start(GUARD, json!(null));
    run.fail("guard[0].risky", "boom").unwrap();
    assert_eq!(run.steps(), ["guard running", "guard[1].instead queued"]);
    run.succeed("guard[1].instead", json!(null)).unwrap();
    run.succeed("guard[3].clean", json!(null)).unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!("boom")));

    let mut run = Run::start(GUARD, json!(null));
    run.fail("guard[0].risky", "late").unwrap();
    run.succeed("guard[3].clean", json!(null)).unwrap();
    assert_eq!(run.output(), json!(2));
}

#[test]
fn what_nobody_catches_fails_after_the_clean_up() {
    for policy in ["fail_fast", "continue_independent", "aggregate"] {
        let text = format!("{GUARD}on_failure: {policy}\n");
        let mut run = Run::start(&text, json!(null));
        run.fail("guard[0].risky", "odd").unwrap();
        assert_eq!(run.status(), RunStatus::Running);
        run.succeed("guard[3].clean", json!(null)).unwrap();
        assert!(run.error().contains("odd"), "{}", run.error());
    }
}

#[test]
fn a_failed_catch_and_a_failed_clean_up_fail_the_try() {
    let mut run = Run::start(GUARD, json!(null));
    run.fail("guard[0].risky", "boom").unwrap();
    run.fail("guard[1].instead", "worse").unwrap();
    run.fail("guard[3].clean", "worst").unwrap();
    assert!(run.error().contains("worse"), "the clean-up does not hide it: {}", run.error());

    let mut run = Run::start(GUARD, json!(null));
    run.succeed("guard[0].risky", json!(1)).unwrap();
    run.succeed("guard[0].more", json!(1)).unwrap();
    run.fail("guard[3].clean", "worst").unwrap();
    assert!(run.error().contains("worst"), "{}", run.error());
}

#[test]
fn a_cancelled_run_cleans_up() {
    let mut run = Run::start(GUARD, json!(null));
    run.give(What::Cancel { by: "me".into(), reason: Some("enough".into()) }).unwrap();
    assert_eq!(
        (run.status(), run.state.reason.as_deref()),
        (RunStatus::Running, Some("cancelling"))
    );
    let owed: Vec<Effect> = run.state.outstanding().collect();
    assert_eq!(owed, [Effect::MakeAttempt { path: "guard[3].clean".into(), attempt: 1 }]);
    assert_eq!(
        run.give(What::Cancel { by: "me".into(), reason: None }),
        Err(Refused::AlreadyStopping)
    );
    run.succeed("guard[3].clean", json!(null)).unwrap();
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Cancelled, Some("enough")));
}

#[test]
fn a_terminated_run_does_not() {
    let mut run = Run::start(GUARD, json!(null));
    run.give(What::Terminate { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);

    let mut run = Run::start(GUARD, json!(null));
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    run.give(What::Terminate { by: "me".into(), reason: Some("now".into()) }).unwrap();
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Cancelled, Some("now")));
    assert_eq!(run.state.outstanding().count(), 0);
}

/// A `try` in an item of a `map`, beside a node whose failure stops everything.
const DEEP: &str = "
name: x
nodes:
  - { id: bad, type: work }
  - id: each
    type: map
    config:
      items: [1, 2, 3]
      concurrency: 2
      body:
        nodes:
          - id: inner
            type: try
            config:
              body: { nodes: [{ id: do, type: work, config: { n: \"{{ item }}\" } }] }
              finally: { nodes: [{ id: clean, type: work, config: { n: \"{{ item }}\" } }] }
          - { id: beside, type: work }
";

#[test]
fn whatever_is_stopped_around_it_a_try_cleans_up() {
    let mut run = Run::start(DEEP, json!(null));
    run.fail("bad", "boom").unwrap();
    let cleaning = ["each[0].inner[1].clean", "each[1].inner[1].clean"];
    let owed: Vec<Effect> = run.state.outstanding().collect();
    let expected = cleaning.map(|path| Effect::MakeAttempt { path: path.to_owned(), attempt: 1 });
    assert_eq!(owed, expected, "and no third item begins");
    run.succeed(cleaning[1], json!(null)).unwrap();
    assert_eq!(run.status(), RunStatus::Running);
    run.fail(cleaning[0], "oh").unwrap();
    assert!(run.error().contains("boom"), "{}", run.error());
    assert_eq!(run.state.counts.of(StepStatus::Running), 0);
}

#[test]
fn an_item_that_fails_lets_the_others_clean_up() {
    let mut run = Run::start(DEEP, json!(null));
    run.succeed("bad", json!(null)).unwrap();
    run.fail("each[0].beside", "boom").unwrap();
    run.succeed("each[0].inner[1].clean", json!(null)).unwrap();
    assert_eq!(run.status(), RunStatus::Running, "{:?}", run.steps());
    run.succeed("each[1].inner[1].clean", json!(null)).unwrap();
    assert!(run.error().contains("boom"), "{}", run.error());
}

const BOOKING: &str = "
name: x
nodes:
  - id: flight
    type: work
    compensate: { type: work, config: { id: \"{{ flight.output.id }}\" }, retry: { max_attempts: 2, delay: 1s } }
  - { id: hotel, type: work, needs: [flight], compensate: { type: work, config: { n: \"{{ hotel.output }}\" } } }
  - { id: car, type: work, needs: [hotel], compensate: { type: work } }
";

#[test]
fn what_was_done_is_undone_the_latest_first() {
    let mut run = Run::start(BOOKING, json!(null));
    run.succeed("flight", json!({ "id": "F1" })).unwrap();
    run.succeed("hotel", json!(7)).unwrap();
    run.fail("car", "sold_out").unwrap();
    assert_eq!(run.state.reason.as_deref(), Some("failing"));
    let undo = run.state.step("hotel~undo").unwrap();
    assert_eq!(
        (undo.status, undo.input.as_deref()),
        (StepStatus::Queued, Some(&json!({ "n": 7 })))
    );
    assert!(run.state.step("flight~undo").is_none(), "one after the other");
    run.fail("hotel~undo", "no").unwrap();
    run.fail("flight~undo", "busy").unwrap();
    run.wait(1_000_000);
    run.fire("flight~undo").unwrap();
    run.succeed("flight~undo", json!(null)).unwrap();
    assert!(run.error().contains("sold_out"), "{}", run.error());
    assert_eq!(run.state.counts.total(), 5);
}

#[test]
fn a_cancelled_run_is_undone_and_a_terminated_one_is_not() {
    let mut run = Run::start(BOOKING, json!(null));
    run.succeed("flight", json!({ "id": "F1" })).unwrap();
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    run.succeed("flight~undo", json!(null)).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);

    for cancels in [false, true] {
        let mut run = Run::start(BOOKING, json!(null));
        run.succeed("flight", json!({ "id": "F1" })).unwrap();
        if cancels {
            run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
        }
        run.give(What::Terminate { by: "me".into(), reason: None }).unwrap();
        assert_eq!(run.status(), RunStatus::Cancelled);
        assert_eq!(run.state.outstanding().count(), 0);
    }
}

#[test]
fn a_run_that_succeeds_undoes_nothing() {
    let mut run = Run::start(BOOKING, json!(null));
    for (path, output) in [("flight", json!({ "id": 1 })), ("hotel", json!(1)), ("car", json!(1))] {
        run.succeed(path, output).unwrap();
    }
    assert_eq!(run.status(), RunStatus::Succeeded);
    assert_eq!(run.state.counts.total(), 3);
}

#[test]
fn an_undo_that_cannot_be_written_fails_its_step() {
    let mut run = Run::start(BOOKING, json!(null));
    run.succeed("flight", json!({ "no_id": 1 })).unwrap();
    assert!(run.error().contains("/compensate/config/id"), "{}", run.error());
}

#[test]
fn a_try_undoes_its_own_before_it_catches() {
    let text = "
name: x
nodes:
  - { id: first, type: work, compensate: { type: work } }
  - id: guard
    type: try
    needs: [first]
    config:
      body:
        nodes:
          - id: each
            type: map
            config:
              items: [1, 2]
              body: { nodes: [{ id: do, type: work, compensate: { type: work, config: { n: \"{{ item }}\" } } }] }
          - { id: bad, type: work, needs: [each] }
      catch: [{ body: { nodes: [{ id: instead, type: work }] } }]
  - { id: last, type: work, needs: [guard] }
";
    let mut run = Run::start(text, json!(null));
    run.succeed("first", json!(0)).unwrap();
    run.succeed("guard[0].each[1].do", json!(1)).unwrap();
    run.succeed("guard[0].each[0].do", json!(0)).unwrap();
    run.fail("guard[0].bad", "boom").unwrap();
    let undo = run.state.step("guard[0].each[0].do~undo").unwrap();
    assert_eq!(undo.input.as_deref(), Some(&json!({ "n": 1 })));
    run.succeed("guard[0].each[0].do~undo", json!(null)).unwrap();
    run.succeed("guard[0].each[1].do~undo", json!(null)).unwrap();
    run.succeed("guard[1].instead", json!("ok")).unwrap();
    run.fail("last", "boom").unwrap();
    run.succeed("first~undo", json!(null)).unwrap();
    assert!(run.error().contains("boom"), "{}", run.error());
}

#[test]
fn mistakes_are_found() {
    let found = |text: &str| {
        let checked = check(text, &kinds());
        let messages: Vec<String> =
            checked.findings.iter().map(|one| format!("{} {}", one.path, one.message)).collect();
        messages.join("; ")
    };
    assert_eq!(found(GUARD), "");
    assert!(found(&GUARD.replace("id: clean", "id: risky")).contains("has a node `risky`"));
    assert!(found(&GUARD.replace("on: [boom, http_5xx]", "on: ")).contains("never run"));
    let outside = GUARD
        .replace("id: risky, type: work", "id: risky, type: work, config: { e: \"{{ error }}\" }");
    assert!(found(&outside).contains("there is no `error` here"));
    let pure = BOOKING.replace(
        "compensate: { type: work } }",
        "compensate: { type: transform, config: { output: 1 } } }",
    );
    assert!(found(&pure).contains("undoes nothing"), "{}", found(&pure));
    let bare =
        "name: x\nnodes:\n  - {id: a, type: try, config: {body: {nodes: [{id: b, type: work}]}}}\n";
    assert!(found(bare).contains("neither `catch` nor `finally`"));
}

#[test]
fn a_run_on_its_way_out_says_so_whatever_it_waits_for() {
    let text = "
name: x
nodes:
  - id: guard
    type: try
    config:
      body: { nodes: [{ id: do, type: work }] }
      finally: { nodes: [{ id: nap, type: delay, config: { duration: 1s } }] }
";
    let mut run = Run::start(text, json!(null));
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    let standing = (run.status(), run.state.reason.as_deref());
    assert_eq!(standing, (RunStatus::Running, Some("cancelling")));
    run.wait(1_000);
    run.fire("guard[1].nap").unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
}

/// One decision for each would pass over all the others each time.
#[test]
fn many_items_are_told_in_one_decision() {
    let text = DEEP.replace("items: [1, 2, 3]", "items: \"{{ range(100) }}\"");
    let text = text.replace("      concurrency: 2\n", "");
    let mut run = Run::start(&text, json!(null));
    run.decide(What::Cancel { by: "me".into(), reason: None }).unwrap();
    let told = run.facts().len();
    run.decide(What::Advance).unwrap();
    let facts = run.facts().split_off(told);
    assert_eq!(facts.iter().filter(|fact| fact.starts_with("item_cancelled")).count(), 100);
    assert_eq!(facts.iter().filter(|fact| fact.starts_with("stopping")).count(), 100);
}
