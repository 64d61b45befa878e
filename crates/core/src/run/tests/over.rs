//! Every status of a run against every command, and that a run which is over is left alone.

use serde_json::json;

use super::harness::{Run, plan};
use super::table::{attempts_of, standing_at};
use crate::failure::Failure;
use crate::run::*;

#[test]
fn every_status_of_a_run_and_every_command() {
    use RunStatus::{Cancelled, Failed, Queued, Running, Succeeded, Waiting};
    let text = "name: x\nnodes: [{ id: a, type: work, retry: { delay: 1s } }]\n";
    let run_at = |status| {
        let mut run = Run::create(plan(text), json!(null));
        if status != Queued {
            run.advance();
        }
        match status {
            Waiting => run.fail("a", "boom").unwrap(),
            Succeeded => run.succeed("a", json!(1)).unwrap(),
            Failed => {
                run.end("a", Err(AttemptError::new(Failure::new("boom", "no"), true))).unwrap();
            }
            Cancelled => run.give(What::Cancel { by: "me".into(), reason: None }).unwrap(),
            _ => {}
        }
        assert_eq!(run.status(), status);
        run
    };
    let cancel = || What::Cancel { by: "me".into(), reason: Some("enough".into()) };
    let abort = || What::Abort { error: Failure::new("history_limit", "too long") };
    let over = |status| Err(Refused::Finished(status));

    //   the run stands at, what comes, what is answered, where it stands then
    let table = [
        (Queued, cancel(), Ok(()), Cancelled),
        (Queued, abort(), Ok(()), Failed),
        (Running, cancel(), Ok(()), Cancelled),
        (Running, abort(), Ok(()), Failed),
        (Waiting, cancel(), Ok(()), Cancelled),
        (Waiting, abort(), Ok(()), Failed),
        (Succeeded, cancel(), over(Succeeded), Succeeded),
        (Succeeded, abort(), over(Succeeded), Succeeded),
        (Failed, cancel(), over(Failed), Failed),
        (Failed, abort(), over(Failed), Failed),
        (Cancelled, cancel(), over(Cancelled), Cancelled),
        (Cancelled, abort(), over(Cancelled), Cancelled),
    ];
    for (before, what, answer, after) in table {
        let mut run = run_at(before);
        assert_eq!(run.give(what.clone()), answer, "{before} {what:?}");
        assert_eq!(run.status(), after, "{before} {what:?}");
        assert_eq!(run.state.outstanding().count(), 0, "{before} {what:?}");
    }
}

/// Whatever is said to a run that is over, it and its journal stay as they are.
#[test]
fn finished_stays_finished() {
    for end in [
        What::Cancel { by: "me".into(), reason: None },
        What::Abort { error: Failure::new("x", "x") },
    ] {
        let mut run = standing_at(StepStatus::Running);
        run.give(end).unwrap();
        let (state, length) = (run.state.clone(), run.events.len());
        let mut inputs: Vec<What> = (0..3).flat_map(|attempt| attempts_of("a", attempt)).collect();
        inputs.extend(attempts_of("nowhere", 1));
        inputs.push(What::TimerFired { path: "a".into() });
        inputs.push(What::Cancel { by: "me".into(), reason: Some("again".into()) });
        inputs.push(What::Abort { error: Failure::new("y", "y") });
        for what in inputs {
            let refused = Err(Refused::Finished(state.status));
            assert_eq!(run.give(what.clone()), refused, "{what:?}");
        }
        assert_eq!(run.decide(What::Advance), Ok(0));
        assert_eq!((&run.state, run.events.len()), (&state, length));
    }
}

#[test]
fn a_run_that_is_being_stopped_is_cancelled_but_not_twice() {
    let cancel = || What::Cancel { by: "me".into(), reason: Some("enough".into()) };
    let mut run = standing_at(StepStatus::Running);
    // Only decided, so that the run is still on its way to its end.
    run.decide(cancel()).unwrap();
    assert_eq!(
        (run.status(), run.state.reason.as_deref()),
        (RunStatus::Running, Some("cancelling"))
    );
    assert_eq!(run.decide(cancel()), Err(Refused::AlreadyStopping));
    assert_eq!(
        run.decide(What::Abort { error: Failure::new("x", "x") }),
        Err(Refused::AlreadyStopping)
    );
    run.advance();
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.state.reason.as_deref(), Some("enough"));
}

#[test]
fn a_run_that_is_not_over_by_its_deadline_fails() {
    let text = "
name: x
deadline: 1m
nodes:
  - { id: book, type: work, compensate: { type: work } }
  - { id: wait, type: delay, needs: [book], config: { duration: 1h } }
";
    let mut run = Run::start(text, json!(null));
    run.succeed("book", json!(1)).unwrap();
    assert!(matches!(
        run.give(What::TimerFired { path: String::new() }),
        Err(Refused::TooEarly { .. })
    ));
    run.wait(60_000);
    run.give(What::TimerFired { path: String::new() }).unwrap();
    run.succeed("book~undo", json!(null)).unwrap();
    assert!(run.error().contains("deadline_exceeded"), "{}", run.error());

    let mut run = Run::start(&text.replace("1h", "1s"), json!(null));
    run.succeed("book", json!(1)).unwrap();
    run.wait(1_000_000);
    run.fire("wait").unwrap();
    assert_eq!((run.status(), run.state.outstanding().count()), (RunStatus::Succeeded, 0));
}
