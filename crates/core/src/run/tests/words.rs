//! Steps that wait for somebody's word.

use std::sync::Arc;

use serde_json::{Value, json};

use super::harness::{Run, plan};
use crate::run::*;
use crate::time::Time;

fn asking(config: &str) -> String {
    format!(
        "
name: x
nodes:
  - {{ id: ask, type: approval, config: {{ title: 'Send {{{{input.n}}}}?', {config} }} }}
  - {{ id: send, type: work, needs: [ask] }}
"
    )
}

fn start(config: &str) -> Run {
    Run::start(&asking(config), json!({ "n": 7 }))
}

fn vote(by: &str, verdict: Verdict) -> Vote {
    let decision = Decision { by: by.into(), verdict, form: None, comment: None };
    Vote { decision, roles: vec!["approver".into()], hash: None }
}

fn say(run: &mut Run, vote: Vote) -> Result<(), Refused> {
    run.give(What::Vote { path: "ask".into(), vote })
}

fn approve(run: &mut Run, by: &str) -> Result<(), Refused> {
    say(run, vote(by, Verdict::Approve))
}

fn reject(run: &mut Run, by: &str) -> Result<(), Refused> {
    say(run, vote(by, Verdict::Reject))
}

fn signal(name: &str, payload: Value, id: Option<&str>) -> What {
    let (payload, id) = (Arc::new(payload), id.map(str::to_owned));
    What::Signal { name: name.into(), payload, by: "ada".into(), id }
}

#[test]
fn an_approval_waits_and_says_who_has_decided() {
    let mut run = start("");
    assert_eq!(run.steps(), ["ask waiting (approval)"]);
    assert_eq!((run.status(), run.state.reason.as_deref()), (RunStatus::Waiting, Some("approval")));
    assert!(run.state.is_parked());
    approve(&mut run, "ada").unwrap();
    assert_eq!(run.steps(), ["ask succeeded", "send queued"]);
    let output = run.state.step("ask").unwrap().output.clone().unwrap();
    assert_eq!((&output["decision"], &output["by"]), (&json!("approve"), &json!("ada")));
    assert_eq!(approve(&mut run, "bob"), Err(Refused::NotAsked("ask".into())));
}

#[test]
fn a_rejection_fails_the_step_unless_it_may_go_on() {
    let mut run = start("");
    let mut no = vote("ada", Verdict::Reject);
    no.decision.comment = Some("too much".into());
    say(&mut run, no).unwrap();
    assert_eq!(run.error(), "ask: `ada` has rejected it: too much (rejected)");
    assert_eq!(run.steps()[1], "send skipped (run_failed)");
    let mut run = start("on_reject: continue");
    reject(&mut run, "ada").unwrap();
    let output = run.state.step("ask").unwrap().output.clone().unwrap();
    assert_eq!((&output["approved"], &output["decision"]), (&json!(false), &json!("reject")));
    assert_eq!(run.steps()[1], "send queued");
}

#[test]
fn as_many_as_are_asked_for_have_to_approve_and_each_only_once() {
    let mut run = start("quorum: 2 of 3");
    approve(&mut run, "ada").unwrap();
    assert_eq!(approve(&mut run, "ada"), Err(Refused::DecidedAlready("ada".into())));
    assert!(approve(&mut run, "key:ada").is_err(), "the same person by another way");
    reject(&mut run, "bob").unwrap();
    assert_eq!(run.steps()[0], "ask waiting (approval)");
    approve(&mut run, "eve").unwrap();
    assert_eq!(run.steps()[0], "ask succeeded");
    let mut run = start("quorum: 2 of 3");
    reject(&mut run, "ada").unwrap();
    reject(&mut run, "bob").unwrap();
    assert!(run.error().ends_with("(rejected)"), "two of three cannot be reached any more");
}

#[test]
fn only_those_who_may_decide() {
    let mut run = start("approvers: [ada, 'role:admin']");
    assert_eq!(approve(&mut run, "bob"), Err(Refused::NotApprover("bob".into())));
    approve(&mut start("approvers: [ada]"), "token:ada").unwrap();
    let mut admin = vote("bob", Verdict::Approve);
    admin.roles = vec!["admin".into()];
    say(&mut run, admin).unwrap();
    assert_eq!(run.steps()[0], "ask succeeded");

    let text = asking("not_by_requester: true");
    let mut run = Run::create_by("ada", plan(&text), json!({ "n": 1 }));
    run.advance();
    assert_eq!(approve(&mut run, "ada"), Err(Refused::NotApprover("ada".into())));
}

#[test]
fn a_decision_is_about_what_was_seen() {
    let mut run = start("");
    let hash = run.state.step("ask").unwrap().ask().unwrap().hash("ask");
    let mut blind = vote("ada", Verdict::Approve);
    blind.hash = Some("0".repeat(64));
    assert_eq!(say(&mut run, blind.clone()), Err(Refused::OtherSubject("ask".into())));
    blind.hash = Some(hash);
    say(&mut run, blind).unwrap();
}

#[test]
fn a_form_is_filled_in_as_its_schema_says() {
    let mut run =
        start("form: { type: object, properties: { n: { type: integer } }, required: [n] }");
    let Err(Refused::BadForm(violations)) = approve(&mut run, "ada") else { panic!() };
    assert_eq!(violations[0].message, "the field `n` is missing");
    let mut filled = vote("ada", Verdict::Approve);
    filled.decision.form = Some(json!({ "n": 3 }));
    say(&mut run, filled).unwrap();
    assert_eq!(run.state.step("ask").unwrap().output.as_ref().unwrap()["form"], json!({ "n": 3 }));
}

#[test]
fn a_time_that_is_up_decides_and_reminders_come_before() {
    let mut run = start("deadline: 5s, remind: 2s, on_deadline: approve");
    run.wait(2_000);
    run.fire("ask").unwrap();
    run.wait(2_000);
    run.fire("ask").unwrap();
    assert_eq!(run.facts().iter().filter(|fact| *fact == "reminded ask").count(), 2);
    run.wait(1_000);
    run.fire("ask").unwrap();
    assert_eq!(run.steps()[0], "ask succeeded");
    assert_eq!(run.state.step("ask").unwrap().output.as_ref().unwrap()["by"], json!(null));
    let mut run = start("deadline: 5s");
    run.wait(5_000);
    run.fire("ask").unwrap();
    assert_eq!(run.error(), "ask: nobody has decided in time (rejected)");
    let mut run = start("deadline: 5s, on_deadline: fail");
    run.wait(5_000);
    run.fire("ask").unwrap();
    assert!(run.error().ends_with("(deadline)"));
}

#[test]
fn nobody_gets_around_an_approval() {
    let mut run = start("");
    let mark = |mark| What::Mark { path: "ask".into(), mark, by: "eve".into(), reason: None };
    let refused = Err(Refused::NotByHand("ask".into()));
    assert_eq!(run.give(mark(Mark::Skipped)), refused);
    assert_eq!(run.give(mark(Mark::Succeeded(Arc::new(json!({ "approved": true }))))), refused);
    approve(&mut run, "ada").unwrap();
    run.fail("send", "boom").unwrap();
    let reused = run.state.reusable(&run.plan, None).unwrap();
    assert!(reused.is_empty(), "who repeats the run asks again: {reused:?}");
}

/// An approval that nothing hangs on which runs again is not asked for again.
#[test]
fn an_approval_beside_what_runs_again_stays_given() {
    let text = "
name: x
nodes:
  - { id: ask, type: approval, config: { title: A } }
  - { id: send, type: work, needs: [ask] }
  - { id: other, type: work }
on_failure: continue_independent
";
    let mut run = Run::start(text, json!(null));
    approve(&mut run, "ada").unwrap();
    run.succeed("send", json!(1)).unwrap();
    run.fail("other", "boom").unwrap();
    let reused = run.state.reusable(&run.plan, None).unwrap();
    assert_eq!(reused.keys().collect::<Vec<_>>(), ["ask", "send"]);
}

const TWO_WAITS: &str = "
name: x
nodes:
  - { id: a, type: wait_signal, config: { signal: go } }
  - { id: b, type: wait_signal, config: { signal: go, timeout: 3s, on_timeout: continue } }
  - { id: both, type: transform, needs: [a, b], join: all, config: { output: ['{{a.output}}', '{{b.output}}'] } }
output: '{{both.output}}'
";

#[test]
fn a_signal_wakes_the_step_that_has_waited_longest() {
    let mut run = Run::start(TWO_WAITS, json!(null));
    run.give(signal("other", json!(0), None)).unwrap();
    run.give(signal("go", json!(1), Some("x"))).unwrap();
    assert_eq!(run.steps()[..2], ["a succeeded", "b waiting (signal)"]);
    let known = Err(Refused::SignalKnown("x".into()));
    assert_eq!(run.give(signal("go", json!(9), Some("x"))), known);
    run.give(signal("go", json!(2), None)).unwrap();
    assert_eq!(run.output(), json!([1, 2]));
}

#[test]
fn a_signal_that_comes_early_is_kept_and_one_that_does_not_come_is_not_waited_for_longer() {
    let text = "
name: x
nodes:
  - { id: first, type: work }
  - { id: got, type: wait_signal, needs: [first], config: { signal: go } }
output: '{{got.output}}'
";
    let mut run = Run::start(text, json!(null));
    run.give(signal("go", json!("early"), None)).unwrap();
    run.succeed("first", json!(0)).unwrap();
    assert_eq!(run.output(), json!("early"));
    let mut run = Run::start(TWO_WAITS, json!(null));
    run.wait(3_000);
    run.fire("b").unwrap();
    run.give(signal("go", json!(1), None)).unwrap();
    assert_eq!(run.output(), json!([1, null]));
}

#[test]
fn signals_are_bounded() {
    let text = "{ name: x, nodes: [{ id: a, type: work }] }";
    let mut run = Run::start(text, json!(null));
    for number in 0..crate::limits::SIGNALS_KEPT_MAX {
        run.decide(signal("go", json!(number), None)).unwrap();
    }
    assert_eq!(run.give(signal("go", json!(0), None)), Err(Refused::TooManySignals));
}

#[test]
fn an_event_goes_to_the_step_whose_match_it_fits() {
    let text = "
name: x
nodes:
  - { id: paid, type: wait_event, config: { event: order.paid, match: { id: '{{input.id}}' } } }
output: '{{paid.output.amount}}'
";
    let mut run = Run::start(text, json!({ "id": 7 }));
    let event = |name: &str, id: i32| What::Event {
        path: "paid".into(),
        name: name.into(),
        data: Arc::new(json!({ "id": id, "amount": 3 })),
        by: "shop".into(),
    };
    let refused = Err(Refused::NotAsked("paid".into()));
    assert_eq!(run.give(event("order.paid", 8)), refused);
    assert_eq!(run.give(event("order.lost", 7)), refused);
    run.give(event("order.paid", 7)).unwrap();
    assert_eq!(run.output(), json!(3));
}

/// An attempt that needs a decision ends with a question; the next one has the answer, and what was
/// recorded before.
#[test]
fn an_attempt_asks_and_the_next_one_knows() {
    let text = "
name: x
nodes: [{ id: ask, type: work, retry: { max_attempts: 2, delay: 0s } }]
";
    let mut run = Run::start(text, json!(null));
    let record = |attempt, key: &str| What::AttemptRecorded {
        path: "ask".into(),
        attempt,
        key: key.into(),
        value: Arc::new(json!({ "turn": key })),
    };
    run.give(record(1, "one")).unwrap();
    let before = run.events.len();
    run.give(record(1, "one")).unwrap();
    assert_eq!(run.events.len(), before, "told twice, recorded once");
    let asks = |attempt, title: &str| What::AttemptAsks {
        path: "ask".into(),
        attempt,
        started_at: Time::from_micros(5),
        key: "answer".into(),
        ask: Arc::new(json!({ "title": title })),
    };
    assert!(matches!(run.give(asks(1, "")), Err(Refused::BadOutput(_))));
    run.give(asks(1, "May I?")).unwrap();
    assert_eq!(run.steps(), ["ask waiting (approval)"]);
    assert!(run.give(record(1, "late")).is_err(), "the attempt is over");
    reject(&mut run, "ada").unwrap();
    let step = run.state.step("ask").unwrap();
    assert_eq!((step.status, step.attempt), (StepStatus::Queued, 2));
    let keys: Vec<&str> = step.records().iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, ["one", "answer"]);
    assert_eq!(step.records()[1].value["approved"], json!(false));
    run.fail("ask", "boom").unwrap();
    assert_eq!(run.steps(), ["ask queued"], "to ask is no failed attempt");
    run.succeed("ask", json!(1)).unwrap();
    assert_eq!(run.state.step("ask").unwrap().records(), []);
}

#[test]
fn who_cancels_a_run_ends_its_waits() {
    let mut run = Run::start(TWO_WAITS, json!(null));
    run.give(What::Cancel { by: "ada".into(), reason: None }).unwrap();
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.steps()[0], "a cancelled (run_cancelled)");
}

/// An output may be used again where what it depends on is the same.
#[test]
fn a_step_says_where_an_earlier_output_is_found() {
    let run = |input: Value| {
        let text = "
name: x
nodes:
  - { id: a, type: work, config: { n: '{{ input.n }}', other: 1 }, cache: { key: '{{ input.n }}', ttl: 1h } }
  - { id: b, type: work, config: { n: '{{ input.n }}' }, cache: { ttl: 1h } }
  - { id: c, type: work, config: { n: '{{ input.n }}' } }
";
        Run::start(text, input)
    };
    let keys = |run: &Run| -> Vec<Option<String>> {
        let steps = ["a", "b", "c"].map(|path| run.state.step(path).unwrap().cache().cloned());
        steps.into_iter().map(|cache| cache.map(|cache| cache.key)).collect()
    };
    let (one, two) = (run(json!({ "n": 1 })), run(json!({ "n": 1, "more": 2 })));
    assert_eq!(keys(&one), keys(&two));
    assert_ne!(keys(&one)[0], keys(&run(json!({ "n": 2 })))[0]);
    assert_ne!(keys(&one)[0], keys(&one)[1]);
    assert_eq!(keys(&one)[2], None);
    let mut run = one;
    let origin = uuid::Uuid::from_u128(7);
    let (path, output) = ("a".to_owned(), Arc::new(json!("earlier")));
    run.give(What::AttemptCached { path, attempt: 1, run_id: origin, output }).unwrap();
    assert_eq!(run.steps()[0], "a succeeded (cached)");
}
