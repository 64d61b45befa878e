//! Every status of a step against every input: what is answered, and where the step stands then.

use std::sync::Arc;

use serde_json::json;

use super::harness::Run;
use crate::failure::Failure;
use crate::run::*;

const TEXT: &str = "
name: x
nodes:
  - { id: a, type: work, retry: { max_attempts: 2, delay: 1s, jitter: 0 } }
  - { id: b, type: work, needs: [a] }
";

/// A run whose step `a` stands at `status`, on its first attempt.
pub(super) fn standing_at(status: StepStatus) -> Run {
    let mut run = Run::start(TEXT, json!(null));
    let started = What::AttemptStarted { path: "a".into(), attempt: 1 };
    match status {
        StepStatus::Queued => {}
        StepStatus::Running => run.give(started).unwrap(),
        StepStatus::BackingOff => run.fail("a", "boom").unwrap(),
        StepStatus::Succeeded => run.succeed("a", json!(1)).unwrap(),
        StepStatus::Waiting => {
            let text = TEXT.replace("id: a, type: work", "id: a, type: work, effect: never");
            run = Run::start(&text, json!(null));
            run.give(started).unwrap();
            run.give(What::AttemptLost { path: "a".into(), attempt: 1 }).unwrap();
        }
        other => panic!("{other} is a test of its own"),
    }
    assert_eq!(run.state.step("a").unwrap().status, status);
    run
}

#[test]
fn every_status_and_every_input() {
    use StepStatus::{BackingOff, Cancelled, Queued, Running, Succeeded, Waiting};
    let path = || "a".to_owned();
    let ended = |attempt, result| What::AttemptEnded {
        path: path(),
        attempt,
        started_at: crate::Time::from_micros(0),
        result,
    };
    let ok = || Ok(Arc::new(json!(1)));
    let boom = || Err(AttemptError::new(Failure::new("boom", "no"), false));
    let started = || What::AttemptStarted { path: path(), attempt: 1 };
    let lost = || What::AttemptLost { path: path(), attempt: 1 };
    let fired = || What::TimerFired { path: path() };
    let cancel = || What::Cancel { by: "me".into(), reason: None };
    let stale = |attempt| Err(Refused::Stale { path: path(), attempt });
    let not_waiting = || Err(Refused::NotWaiting(path()));

    //   the step stands at, what comes, what is answered, where it stands then
    let table = [
        (Queued, started(), Ok(()), Running),
        (Queued, ended(1, ok()), Ok(()), Succeeded),
        (Queued, ended(1, boom()), Ok(()), BackingOff),
        (Queued, ended(2, ok()), stale(2), Queued),
        (Queued, lost(), Ok(()), BackingOff),
        (Queued, fired(), not_waiting(), Queued),
        (Queued, cancel(), Ok(()), Cancelled),
        (Running, started(), stale(1), Running),
        (Running, ended(1, ok()), Ok(()), Succeeded),
        (Running, ended(1, boom()), Ok(()), BackingOff),
        (Running, ended(0, ok()), stale(0), Running),
        (Running, lost(), Ok(()), BackingOff),
        (Running, fired(), not_waiting(), Running),
        (Running, cancel(), Ok(()), Cancelled),
        (BackingOff, started(), stale(1), BackingOff),
        (BackingOff, ended(1, ok()), stale(1), BackingOff),
        (BackingOff, lost(), stale(1), BackingOff),
        (BackingOff, fired(), Ok(()), Queued),
        (BackingOff, cancel(), Ok(()), Cancelled),
        (Waiting, started(), stale(1), Waiting),
        (Waiting, ended(1, ok()), stale(1), Waiting),
        (Waiting, lost(), stale(1), Waiting),
        (Waiting, fired(), not_waiting(), Waiting),
        (Waiting, cancel(), Ok(()), Cancelled),
        (Succeeded, started(), stale(1), Succeeded),
        (Succeeded, ended(1, ok()), stale(1), Succeeded),
        (Succeeded, ended(1, boom()), stale(1), Succeeded),
        (Succeeded, lost(), stale(1), Succeeded),
        (Succeeded, fired(), not_waiting(), Succeeded),
        (Succeeded, cancel(), Ok(()), Succeeded),
    ];
    for (before, what, answer, after) in table {
        let mut run = standing_at(before);
        run.wait(1_000);
        assert_eq!(run.give(what.clone()), answer, "{before} {what:?}");
        assert_eq!(run.state.step("a").unwrap().status, after, "{before} {what:?}");
    }
}

/// Steps that no attempt is made of, and steps that are over while their run goes on: whatever comes
/// is refused, and refused inputs change nothing (the harness looks).
#[test]
fn only_a_step_that_an_attempt_is_made_of_takes_its_result() {
    use StepStatus::{Cancelled, Failed, Pending, Running, Skipped, Succeeded, Waiting};
    let text = "
name: x
nodes:
  - { id: bad, type: work }
  - { id: slow, type: work }
  - { id: clean, type: work }
  - { id: dead, type: work, needs: [slow] }
edges:
  - { source: bad, target: clean, on: always }
";
    let mut stopping = Run::start(text, json!(null));
    stopping.fail("bad", "boom").unwrap();
    let text = "
name: x
nodes:
  - { id: pure, type: transform, config: { output: 1 } }
  - { id: wait, type: delay, config: { duration: 1h } }
  - { id: each, type: map, config: { items: [1], body: { nodes: [{ id: w, type: work }] } } }
  - { id: join, type: work, needs: [pure, wait] }
";
    let mut going = Run::start(text, json!(null));
    //   the run, the step, where it stands
    let table = [
        (&mut stopping, vec![("bad", Failed), ("slow", Cancelled), ("dead", Skipped)]),
        (
            &mut going,
            vec![("pure", Succeeded), ("wait", Waiting), ("each", Running), ("join", Pending)],
        ),
    ];
    for (run, steps) in table {
        assert_eq!(run.status(), RunStatus::Running);
        for (step, status) in steps {
            for attempt in 0..3 {
                for what in attempts_of(step, attempt) {
                    let stale = Refused::Stale { path: step.into(), attempt };
                    assert_eq!(run.give(what.clone()), Err(stale), "{status} {what:?}");
                }
            }
            let until = run.state.step(step).unwrap().until;
            let refused = match until {
                Some(until) => Refused::TooEarly { path: step.into(), until },
                None => Refused::NotWaiting(step.into()),
            };
            assert_eq!(run.fire(step), Err(refused), "{status}");
            assert_eq!(run.state.step(step).unwrap().status, status);
        }
    }
}

/// Everything that can be said of an attempt.
pub(super) fn attempts_of(step: &str, attempt: u32) -> Vec<What> {
    let path = || step.to_owned();
    let ended = |result| What::AttemptEnded {
        path: path(),
        attempt,
        started_at: crate::Time::from_micros(0),
        result,
    };
    let failed = |is_final| Err(AttemptError::new(Failure::new("boom", "no"), is_final));
    vec![
        What::AttemptStarted { path: path(), attempt },
        What::AttemptLost { path: path(), attempt },
        ended(Ok(Arc::new(json!(1)))),
        ended(failed(false)),
        ended(failed(true)),
    ]
}

#[test]
fn steps_that_are_unknown_take_nothing() {
    let mut run = Run::start(TEXT, json!(null));
    assert_eq!(run.succeed("zz", json!(1)), Err(Refused::NoSuchStep("zz".into())));
    assert!(matches!(run.succeed("b", json!(1)), Err(Refused::NoSuchStep(_))));
    assert_eq!(run.fire("zz"), Err(Refused::NoSuchStep("zz".into())));
}

#[test]
fn a_start_may_be_left_out_if_the_end_is_written_with_it() {
    for end in [Ok(Arc::new(json!(1))), Err("boom")] {
        let mut with = standing_at(StepStatus::Running);
        let mut without = standing_at(StepStatus::Queued);
        for run in [&mut with, &mut without] {
            match &end {
                Ok(output) => run.end("a", Ok(output.clone())).unwrap(),
                Err(code) => run.fail("a", code).unwrap(),
            }
        }
        assert_eq!(with.state, without.state);
    }
}
