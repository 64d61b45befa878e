//! What a run has to do with other runs, and with people who hold it up.

use std::sync::Arc;

use serde_json::json;

use super::harness::{Run, kinds, plan};
use crate::definition::{OnLimit, check};
use crate::failure::Failure;
use crate::run::*;

const LINE: &str = "
name: x
nodes:
  - { id: a, type: work }
  - { id: wait, type: delay, needs: [a], config: { duration: 1s } }
";

fn pause() -> What {
    What::Pause { by: "ada".into(), reason: Some("lunch".into()) }
}

fn resume() -> What {
    What::Resume { by: "ada".into(), reason: None }
}

#[test]
fn nothing_begins_while_a_run_is_paused_and_what_ends_is_kept() {
    let mut run = Run::start(LINE, json!(null));
    run.give(pause()).unwrap();
    assert_eq!(run.give(pause()), Err(Refused::Paused));
    assert_eq!(run.status(), RunStatus::Paused);
    assert!(!run.state.is_parked(), "an attempt is under way");
    run.succeed("a", json!(1)).unwrap();
    assert_eq!(run.steps(), ["a succeeded", "wait pending"]);
    assert!(run.state.is_parked());
    assert_eq!(run.state.pause().map(|pause| pause.by.as_str()), Some("ada"));
    run.give(resume()).unwrap();
    assert_eq!(run.give(resume()), Err(Refused::NotPaused));
    assert_eq!(run.steps(), ["a succeeded", "wait waiting (timer)"]);
    run.give(pause()).unwrap();
    run.wait(2_000);
    assert_eq!(run.fire("wait"), Err(Refused::Paused));
    run.give(resume()).unwrap();
    run.fire("wait").unwrap();
    assert_eq!(run.status(), RunStatus::Succeeded);
}

#[test]
fn a_run_can_be_paused_before_it_begins_and_cancelled_while_paused() {
    let mut run = Run::create(plan(LINE), json!(null));
    run.give(pause()).unwrap();
    assert_eq!((run.status(), run.steps().len()), (RunStatus::Paused, 0));
    run.give(resume()).unwrap();
    run.give(pause()).unwrap();
    run.give(What::Cancel { by: "ada".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
}

const FAMILY: &str = "
name: x
nodes:
  - { id: told, type: workflow, config: { workflow: other, await: false } }
  - { id: asked, type: workflow, needs: [told], config: { workflow: other, input: { n: \"{{ input }}\" } } }
";

fn child_of(run: &Run, path: &str) -> uuid::Uuid {
    run.state.step(path).and_then(Step::child).unwrap().run_id
}

fn ended(run: &mut Run, path: &str, result: Result<i32, Failure>) -> Result<(), Refused> {
    let child = child_of(run, path);
    let result = result.map(|output| Arc::new(json!(output)));
    run.give(What::ChildEnded { path: path.into(), child, result })
}

#[test]
fn a_step_asks_for_a_run_and_waits_for_it_or_not() {
    let mut run = Run::start(FAMILY, json!(3));
    assert_eq!(run.steps(), ["told waiting (child_run)"]);
    assert!(run.state.is_parked());
    let told = child_of(&run, "told");
    run.give(What::ChildStarted { path: "told".into(), child: told }).unwrap();
    assert_eq!(run.state.step("told").unwrap().output.as_deref(), Some(&json!({ "run_id": told })));
    assert_eq!(run.state.children().collect::<Vec<_>>(), [("told", told)]);
    let asked = child_of(&run, "asked");
    assert_ne!(asked, told);
    run.give(What::ChildStarted { path: "asked".into(), child: asked }).unwrap();
    let stranger =
        What::ChildEnded { path: "asked".into(), child: told, result: Ok(Arc::default()) };
    assert!(matches!(run.give(stranger), Err(Refused::Stale { .. })));
    ended(&mut run, "asked", Ok(7)).unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!(7)));
    assert!(matches!(ended(&mut run, "asked", Ok(7)), Err(Refused::Finished(_))), "told twice");
}

#[test]
fn a_child_that_fails_fails_its_step() {
    let mut run = Run::start(FAMILY, json!(3));
    ended(&mut run, "told", Err(Failure::new("workflow_not_found", "no"))).unwrap();
    assert_eq!(
        (run.status(), run.error()),
        (RunStatus::Failed, "told: no (workflow_not_found)".into())
    );
}

#[test]
fn runs_do_not_nest_without_end() {
    let mut run = Run::create(plan(FAMILY), json!(3));
    let parent = Parent { run_id: uuid::Uuid::nil(), step: "s".into(), depth: 16, awaited: true };
    run.state.created.parent = Some(parent);
    let input = Input { now: run.now, dice: 0.5, what: What::Advance };
    let begun = run.state.decide(&run.plan, &input).unwrap();
    begun.iter().for_each(|event| run.state.evolve(event));
    let facts = run.state.decide(&run.plan, &input).unwrap();
    assert!(matches!(&facts[0].fact, Fact::StepFailed { error, .. } if error.code == "too_deep"));
}

#[test]
fn a_run_that_shares_a_key_waits_to_be_admitted() {
    let text = "
name: x
concurrency: { key: \"{{ input.who }}\", limit: 2, on_limit: skip }
priority: 5
nodes: [{ id: a, type: work }]
";
    let mut run = Run::start(text, json!({ "who": "ada" }));
    let nil = uuid::Uuid::nil();
    let shared = run.state.created.concurrency.clone().unwrap();
    assert_eq!((shared.key, shared.limit), (format!("{nil}:ada"), 2));
    assert_eq!((shared.on_limit, run.state.created.priority), (OnLimit::Skip, 5));
    assert_eq!(run.status(), RunStatus::Queued);
    assert_eq!(run.state.reason.as_deref(), Some("concurrency"));
    assert!(run.state.is_parked());
    run.give(What::Admit).unwrap();
    assert_eq!(run.give(What::Admit), Err(Refused::NotHeld));
    assert_eq!(run.steps(), ["a queued"]);

    let request = |input| CreateRun { version: 1, input, ..CreateRun::default() };
    let plan = plan(text);
    let refused = create(&plan, request(json!({})), run.now).unwrap_err();
    assert!(matches!(refused, Refused::BadConcurrencyKey(_)), "{refused}");
    let long = json!({ "who": "x".repeat(300) });
    assert!(matches!(create(&plan, request(long), run.now), Err(Refused::BadConcurrencyKey(_))));
}

#[test]
fn limits_that_make_no_sense_are_found_before_a_run() {
    let text = "
name: x
priority: 2000
concurrency: { key: \"{{ a.output }}\", limit: 0 }
nodes: [{ id: a, type: work }]
";
    let findings = check(text, &kinds()).findings;
    let found: Vec<&str> = findings.iter().map(|finding| finding.path.as_str()).collect();
    assert_eq!(found, ["/priority", "/concurrency/key", "/concurrency/limit"]);
}

const LONG: &str = "
name: x
nodes:
  - { id: a, type: work, compensate: { type: work } }
  - { id: odd, type: conditional, needs: [a], config: { condition: a.output > 1, true_edge: b, false_edge: c } }
  - { id: b, type: work }
  - { id: c, type: work }
  - { id: safe, type: work, needs: [b], on_failure: continue }
  - { id: last, type: work, needs: [safe, c] }
";

/// A run that repeats another one from a step.
fn again(run: &Run, from: Option<&str>) -> Run {
    let reused = run.state.reusable(&run.plan, from).unwrap();
    let request = CreateRun { version: 1, reused, ..CreateRun::default() };
    let created = create(&run.plan, request, run.now).unwrap();
    let mut again = Run::create(plan(LONG), json!(null));
    again.state = RunState::from_first(&created).unwrap();
    again.events = vec![created];
    again.advance();
    again
}

#[test]
fn a_run_is_repeated_from_a_step_and_the_rest_is_reused() {
    let mut run = Run::start(LONG, json!(null));
    assert!(matches!(run.state.reusable(&run.plan, None), Err(Refused::NotOver(_))));
    run.succeed("a", json!(2)).unwrap();
    run.succeed("b", json!("b")).unwrap();
    run.fail("safe", "soft").unwrap();
    run.succeed("last", json!(0)).unwrap();
    assert_eq!(run.status(), RunStatus::Succeeded);
    let missing = run.state.reusable(&run.plan, Some("nobody"));
    assert!(matches!(missing, Err(Refused::NoSuchStep(_))));

    let mut second = again(&run, Some("last"));
    assert_eq!(
        second.steps(),
        [
            "a succeeded (reused)",
            "odd succeeded (reused)",
            "b succeeded (reused)",
            "c skipped (not_taken)",
            "safe failed (reused)",
            "last queued"
        ]
    );
    second.fail("last", "hard").unwrap();
    assert_eq!(second.steps().last().unwrap(), "a~undo queued", "what was reused is undone too");
    second.succeed("a~undo", json!(null)).unwrap();
    assert_eq!(second.status(), RunStatus::Failed);

    let third = again(&second, None);
    assert_eq!(third.steps(), ["a queued"], "what was undone runs again");
    let fourth = again(&run, Some("b"));
    assert!(fourth.steps().contains(&"b queued".to_owned()), "{:?}", fourth.steps());
}
