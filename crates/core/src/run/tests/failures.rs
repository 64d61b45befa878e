use std::time::Duration;

use serde_json::json;

use super::harness::Run;
use crate::failure::Failure;
use crate::run::*;

const SIBLINGS: &str = "
name: x
nodes:
  - { id: bad, type: work }
  - { id: after_bad, type: work, needs: [bad] }
  - { id: good, type: work }
  - { id: after_good, type: work, needs: [good] }
";

#[test]
fn fail_fast_cancels_siblings_and_skips_the_rest() {
    let mut run = Run::start(SIBLINGS, json!(null));
    run.fail("bad", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Failed);
    assert_eq!(run.error(), "bad: it did not work (boom)");
    assert_eq!(
        run.steps(),
        [
            "bad failed",
            "good cancelled (run_failed)",
            "after_bad skipped (run_failed)",
            "after_good skipped (run_failed)",
        ]
    );
    assert_eq!(run.succeed("good", json!(1)), Err(Refused::Finished(RunStatus::Failed)));
}

#[test]
fn continue_independent_goes_on_with_what_does_not_depend_on_it() {
    let text = format!("{SIBLINGS}on_failure: continue_independent\n");
    let mut run = Run::start(&text, json!(null));
    run.fail("bad", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Running);
    run.succeed("good", json!(1)).unwrap();
    run.succeed("after_good", json!(1)).unwrap();
    assert_eq!(run.error(), "bad: it did not work (boom)");
    assert_eq!(run.state.counts.of(StepStatus::Skipped), 1);
}

#[test]
fn aggregate_lists_every_failure() {
    let text = format!("{SIBLINGS}on_failure: aggregate\n");
    let mut run = Run::start(&text, json!(null));
    run.fail("bad", "boom").unwrap();
    run.fail("good", "bang").unwrap();
    let error = run.state.error.unwrap();
    assert_eq!(error.message, "2 steps failed; the first: it did not work");
    assert_eq!(error.details.unwrap()["errors"][1]["step"], "good");
}

#[test]
fn a_failure_that_is_provided_for_does_not_fail_the_run() {
    let text = "
name: x
nodes:
  - { id: a, type: work }
  - { id: ok, type: work }
  - { id: repair, type: transform, config: { output: \"{{ a.error.code }}\" } }
edges:
  - { source: a, target: ok }
  - { source: a, target: repair, on: failure }
output: \"{{ repair.output }}\"
";
    let mut run = Run::start(text, json!(null));
    run.fail("a", "boom").unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!("boom")));
    assert_eq!(run.steps(), ["a failed", "ok skipped (not_taken)", "repair succeeded"]);
}

#[test]
fn continue_passes_over_a_failure_and_stop_overrides_the_policy() {
    let text = "
name: x
nodes:
  - { id: a, type: work, on_failure: continue }
  - { id: b, type: transform, needs: [a], config: { output: \"{{ [a.output, a.error.code] }}\" } }
";
    let mut run = Run::start(text, json!(null));
    run.fail("a", "boom").unwrap();
    assert_eq!((run.status(), run.output()), (RunStatus::Succeeded, json!([null, "boom"])));

    let text = format!("{SIBLINGS}on_failure: continue_independent\n")
        .replace("id: bad, type: work", "id: bad, type: work, on_failure: stop");
    let mut run = Run::start(&text, json!(null));
    run.fail("bad", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Failed);
}

#[test]
fn an_always_edge_is_gone_before_the_run_fails() {
    let text = "
name: x
nodes:
  - { id: a, type: work }
  - { id: slow, type: work }
  - { id: clean, type: work }
  - { id: cleaner, type: work, needs: [clean] }
  - { id: never, type: work, needs: [slow] }
edges:
  - { source: a, target: clean, on: always }
  - { source: slow, target: clean }
";
    let mut run = Run::start(text, json!(null));
    run.fail("a", "boom").unwrap();
    assert_eq!(
        run.steps(),
        ["a failed", "slow cancelled (run_failed)", "clean queued", "never skipped (run_failed)",]
    );
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Running, Some("failing")));
    run.succeed("clean", json!(1)).unwrap();
    run.fail("cleaner", "worse").unwrap();
    assert_eq!(
        (run.status(), run.error()),
        (RunStatus::Failed, "a: it did not work (boom)".into())
    );
}

#[test]
fn cancelling_ends_everything_clean_up_included() {
    let text = "
name: x
nodes:
  - { id: a, type: work }
  - { id: clean, type: work }
  - { id: later, type: work, needs: [clean] }
edges:
  - { source: a, target: clean, on: always }
";
    let cancel = || What::Cancel { by: "me".into(), reason: Some("enough".into()) };
    let mut run = Run::start(text, json!(null));
    run.give(cancel()).unwrap();
    assert_eq!(
        run.steps(),
        [
            "a cancelled (run_cancelled)",
            "clean skipped (run_cancelled)",
            "later skipped (run_cancelled)"
        ]
    );
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Cancelled, Some("enough")));
    assert_eq!(run.give(cancel()), Err(Refused::Finished(RunStatus::Cancelled)));

    let mut run = Run::start(text, json!(null));
    run.fail("a", "boom").unwrap();
    run.give(cancel()).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
}

#[test]
fn a_run_that_has_not_begun_can_be_cancelled() {
    let mut run = Run::create(super::harness::plan(SIBLINGS), json!(null));
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.facts(), ["run_created", "run_cancelled"]);
}

#[test]
fn attempts_back_off_and_end() {
    let text = "
name: x
nodes:
  - { id: a, type: work, retry: { max_attempts: 3, delay: 1s, jitter: 0 } }
";
    let mut run = Run::start(text, json!(null));
    run.fail("a", "boom").unwrap();
    assert_eq!(run.steps(), ["a backing_off (retry)"]);
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Waiting, Some("retry")));
    assert!(run.fire("a").is_err());
    run.wait(1_000);
    run.fire("a").unwrap();
    assert_eq!(run.state.step("a").unwrap().attempt, 2);
    run.fail("a", "boom").unwrap();
    run.wait(2_000);
    run.fire("a").unwrap();
    run.fail("a", "last").unwrap();
    assert_eq!(run.error(), "a: it did not work (last)");
}

#[test]
fn the_other_side_can_put_an_attempt_off() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    for (asked_ms, expected_ms) in [
        (None, 1_000),
        (Some(0), 1_000),
        (Some(999), 1_000),
        // Past `max_delay` too: the other side will not have changed its mind by then.
        (Some(90_000), 90_000),
        (Some(DAY_MS), DAY_MS),
        (Some(30 * DAY_MS), DAY_MS),
    ] {
        let retry = "retry: {delay: 1s, max_delay: 2s, jitter: 0}";
        let text = format!("name: x\nnodes: [{{id: a, type: work, {retry}}}]\n");
        let mut run = Run::start(&text, json!(null));
        let mut error = AttemptError::new(Failure::new("http_429", "no"), false);
        error.retry_after = asked_ms.map(Duration::from_millis);
        run.end("a", Err(error)).unwrap();
        run.wait(expected_ms - 1);
        assert!(run.fire("a").is_err(), "{asked_ms:?}: not before {expected_ms} ms");
        run.wait(1);
        run.fire("a").unwrap();
        assert_eq!(run.steps(), ["a queued"]);
    }
    let mut run = Run::start("name: x\nnodes: [{id: a, type: work}]\n", json!(null));
    let mut error = AttemptError::new(Failure::new("http_429", "no"), false);
    error.retry_after = Some(Duration::from_secs(1));
    run.end("a", Err(error)).unwrap();
    assert_eq!(
        run.status(),
        RunStatus::Failed,
        "it asks for no attempt that `retry` does not allow"
    );
}

#[test]
fn only_some_errors_are_worth_another_attempt() {
    let text = |on: &str| {
        format!("name: x\nnodes: [{{id: a, type: work, retry: {{delay: 0s, jitter: 0{on}}}}}]\n")
    };
    let mut run = Run::start(&text(", on: [timeout]"), json!(null));
    run.fail("a", "boom").unwrap();
    assert_eq!(run.status(), RunStatus::Failed);
    let mut run = Run::start(&text(", on: [timeout]"), json!(null));
    run.fail("a", "timeout").unwrap();
    assert_eq!(run.steps(), ["a queued"], "without a delay the next attempt is made at once");
    let mut run = Run::start(&text(""), json!(null));
    let failure = Failure::new("bad_config", "no");
    run.end("a", Err(AttemptError::new(failure, true))).unwrap();
    assert_eq!(run.status(), RunStatus::Failed, "what the kind calls final is not tried again");
}

#[test]
fn lost_attempts_do_not_count_but_are_bounded() {
    let text = "name: x\nnodes: [{id: a, type: work}]\n";
    let mut run = Run::start(text, json!(null));
    for lost in 1..=crate::limits::INTERRUPTION_COUNT_MAX {
        run.give(What::AttemptLost { path: "a".into(), attempt: lost }).unwrap();
        assert_eq!(run.steps(), ["a backing_off (interrupted)"]);
        run.wait(60_000);
        run.fire("a").unwrap();
    }
    let attempt = crate::limits::INTERRUPTION_COUNT_MAX + 1;
    run.give(What::AttemptLost { path: "a".into(), attempt }).unwrap();
    assert!(run.error().contains("dead_letter"));
}

#[test]
fn a_lost_attempt_that_could_do_harm_waits_for_a_decision() {
    let text = "name: x\nnodes: [{id: a, type: work, effect: never}]\n";
    let lost = || What::AttemptLost { path: "a".into(), attempt: 1 };
    let mut run = Run::start(text, json!(null));
    run.give(lost()).unwrap();
    assert_eq!(run.steps(), ["a queued"], "its start was not durable, so nothing was done");
    run.give(What::AttemptStarted { path: "a".into(), attempt: 1 }).unwrap();
    run.give(lost()).unwrap();
    assert_eq!(run.steps(), ["a waiting (outcome_unknown)"]);
    assert_eq!(run.state.reason.as_deref(), Some("outcome_unknown"));
    assert!(run.succeed("a", json!(1)).is_err(), "a result that comes after all is too late");
    run.give(What::Cancel { by: "me".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
}

#[test]
fn expressions_without_an_answer_fail_the_step() {
    let text = "
name: x
nodes:
  - { id: a, type: transform, config: { output: { x: \"{{ input.missing }}\" } } }
";
    let run = Run::start(text, json!({}));
    assert_eq!(
        run.error(),
        "a: /config/output/x, character 10: there is no field `missing` (expression)"
    );
    let text = "name: x\nnodes: [{id: a, type: work, when: 'input > 3'}]\n";
    assert!(Run::start(text, json!("x")).error().contains("/when, character 1"));
    let text = "name: x\nnodes: [{id: a, type: work}, {id: b, type: end}]\n\
                edges: [{source: a, target: b, when: 'a.output.n > 1'}]\n";
    let mut run = Run::start(text, json!(null));
    run.succeed("a", json!({ "n": "many" })).unwrap();
    assert!(run.error().contains("the edge to `b`"));
    let text = "name: x\nnodes: [{id: a, type: end}]\noutput: '{{ input.x }}'\n";
    assert!(Run::start(text, json!({})).error().contains("/output, character 10"));
}

#[test]
fn what_is_too_large_fails_the_step() {
    let mut run = Run::start("name: x\nnodes: [{id: a, type: work}]\n", json!(null));
    run.succeed("a", json!("x".repeat(20_000_000))).unwrap();
    assert!(run.error().contains("payload_too_large"));
    let text =
        "name: x\nnodes: [{id: a, type: transform, config: {output: \"{{ 'x' * 20000000 }}\"}}]\n";
    assert!(Run::start(text, json!(null)).error().contains("16777216"));
}

/// Each is small enough; what they would come to together is never made.
#[test]
fn a_large_value_may_be_named_often_but_not_copied_as_often() {
    let names = vec!["{{ input.x }}"; 200];
    for output in [json!(names), json!(format!("{{{{ [{}] }}}}", vec!["input.x"; 200].join(", ")))]
    {
        let node = json!({ "id": "a", "type": "transform", "config": { "output": output } });
        let text = json!({ "name": "x", "nodes": [node] }).to_string();
        let input = |size| json!({ "x": "y".repeat(size) });
        assert_eq!(Run::start(&text, input(10_000)).state.status, RunStatus::Succeeded);
        let error = Run::start(&text, input(10_000_000)).error();
        assert!(error.contains("takes more than 2000000 steps"), "{error}");
    }
}

#[test]
fn what_nests_too_deep_fails_the_step() {
    // Journals are read by a parser that stops at a depth. What it could not read is never written.
    let nested = |depth| (0..depth).fold(json!(null), |inside, _| json!([inside]));
    let text = "name: x\nnodes: [{id: a, type: transform, config: {output: ['{{ input }}']}}]\n";
    assert_eq!(Run::start(text, nested(98)).state.status, RunStatus::Succeeded);
    assert!(Run::start(text, nested(100)).error().contains("payload_too_deep"));
}

/// Details come from outside: an answer to a request, for one.
#[test]
fn details_that_a_journal_could_not_hold_are_left_out() {
    let deep = || (0..126).fold(json!(null), |inside, _| json!([inside]));
    for (details, complaint) in [
        (deep(), "the error nests deeper than 100"),
        (json!("x".repeat(2_000_000)), "the error has 2000002 bytes, but may have at most 1048576"),
    ] {
        let mut run = Run::start("name: x\nnodes: [{id: a, type: work}]\n", json!(null));
        let failure = Failure::new("http_500", "so it goes").with(details);
        run.end("a", Err(AttemptError::new(failure, false))).unwrap();
        let error = run.state.error.unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("http_500", "so it goes"));
        assert_eq!(error.details, Some(json!({ "left_out": complaint })));
    }
    let each = "name: x\non_failure: aggregate\nnodes: [{id: each, type: map, config: {items: [1, 2], \
                body: {nodes: [{id: a, type: work}]}}}]\n";
    let mut run = Run::start(each, json!(null));
    for path in ["each[0].a", "each[1].a"] {
        let details = (0..99).fold(json!(null), |inside, _| json!([inside]));
        let failure = Failure::new("http_500", "so it goes").with(details);
        run.end(path, Err(AttemptError::new(failure, false))).unwrap();
    }
    let details = run.state.error.unwrap().details.unwrap();
    assert_eq!(details["count"], 2);
    assert_eq!(
        details["errors"][1],
        json!({ "code": "http_500", "message": "so it goes", "step": "each[1].a" })
    );
}

#[test]
fn fail_fails() {
    let text =
        "name: x\nnodes: [{id: a, type: fail, config: {code: no_way, message: 'not {{input}}'}}]\n";
    assert_eq!(Run::start(text, json!(7)).error(), "a: not 7 (no_way)");
}
