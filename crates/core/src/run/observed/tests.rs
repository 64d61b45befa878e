use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::definition::{Plan, check};
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::kinds::Kinds;
use crate::limits::LABEL_COUNT_MAX;
use crate::run::{
    CreateRun, Event, Fact, FlowName, FlowSeen, FlowWord, Input, ObservedTerms, Refused, RunState,
    RunStatus, Seen, SeenEnd, StepStatus, TaskSeen, TaskWord, What, create,
};
use crate::time::Time;

use super::UNKNOWN_FLOW;

const BEGIN: Time = Time::from_micros(1_000_000_000_000_000);

/// A flow's run that is told of by hand.
struct Watched {
    state: RunState,
    plan: &'static Plan,
    now: Time,
    events: Vec<Event>,
}

impl Watched {
    fn start() -> Watched {
        static PLAN: LazyLock<Plan> =
            LazyLock::new(|| check(r#"{ "flow": "(unknown)" }"#, &Kinds::pure()).plan.unwrap());
        let plan = &*PLAN;
        let request = CreateRun {
            run_id: Uuid::from_u128(1),
            observed: Some(ObservedTerms {
                stalled_after: HumanDuration::from_secs(600),
                given_up_after: HumanDuration::from_secs(86_400),
            }),
            ..CreateRun::default()
        };
        let first = create(plan, request, BEGIN).unwrap();
        let state = RunState::from_first(&first).unwrap();
        Watched { state, plan, now: BEGIN, events: vec![first] }
    }

    fn try_take(&mut self, what: What) -> Result<usize, Refused> {
        let input = Input { now: self.now, dice: 0.5, what };
        let events = self.state.decide(self.plan, &input)?;
        for event in &events {
            self.state.evolve(event);
        }
        let count = events.len();
        self.events.extend(events);
        Ok(count)
    }

    fn hear(&mut self, seen: Seen) -> usize {
        self.try_take(What::Seen(seen)).unwrap()
    }

    fn wait(&mut self, wait: Duration) {
        self.now = self.now.plus(wait);
    }

    fn silence(&mut self) {
        self.try_take(What::TimerFired { path: String::new() }).unwrap();
    }

    fn step(&self, path: &str) -> StepStatus {
        self.state.step(path).unwrap().status
    }

    /// Where everything stands, as people see it.
    fn stands(&self) -> Value {
        let state = &self.state;
        let steps: Vec<Value> = state
            .steps()
            .map(|(path, step)| {
                json!([
                    path,
                    step.status,
                    step.reason,
                    step.attempt,
                    step.queued_at,
                    step.started_at,
                    step.finished_at,
                    step.error
                ])
            })
            .collect();
        let observed = state.observed().unwrap();
        json!({
            "run": [state.status, state.reason, state.started_at, state.finished_at, state.error],
            "output": state.output,
            "input": state.input(),
            "tags": observed.tags(),
            "flow": state.created.workflow,
            "labels": state.created.labels,
            "metadata": observed.metadata(),
            "counts": state.counts,
            "steps": steps,
        })
    }
}

fn at(seconds: i64) -> Time {
    Time::from_micros(BEGIN.micros() + seconds * 1_000_000)
}

fn flow(seconds: i64, what: FlowWord, status: Option<SeenEnd>) -> Seen {
    Seen::Flow(Box::new(FlowSeen { at: at(seconds), what, status, ..FlowSeen::default() }))
}

fn task(path: &str, seconds: i64, what: TaskWord) -> Seen {
    let error = matches!(what, TaskWord::Ended(SeenEnd::Failed))
        .then(|| Failure::new("task_failed", format!("{path} at {seconds}")));
    let seen = TaskSeen { at: at(seconds), what, error, ..TaskSeen::default() };
    Seen::Task { path: path.to_owned(), seen: Box::new(seen) }
}

fn started() -> TaskWord {
    TaskWord::Started
}

fn ended(end: SeenEnd) -> TaskWord {
    TaskWord::Ended(end)
}

#[test]
fn a_flow_is_followed_from_its_beginning_to_its_end() {
    let mut run = Watched::start();
    assert_eq!(run.state.status, RunStatus::Queued);
    run.hear(flow(0, FlowWord::Started, None));
    assert_eq!(run.state.status, RunStatus::Running);
    run.hear(task("load:1", 1, started()));
    assert_eq!(run.step("load:1"), StepStatus::Running);
    assert!(run.state.outstanding().all(|effect| {
        matches!(effect, crate::run::Effect::SetTimer { path, .. } if path.is_empty())
    }));
    run.hear(task("load:1", 3, ended(SeenEnd::Succeeded)));
    run.hear(flow(4, FlowWord::Ended, None));
    assert_eq!(run.state.status, RunStatus::Succeeded);
    assert_eq!((run.state.started_at, run.state.finished_at), (Some(at(0)), Some(at(4))));
    assert_eq!(run.state.deadline(), None);
    assert_eq!(RunState::replay(&run.events).unwrap(), run.state);
}

#[test]
fn what_is_known_already_is_no_event() {
    let mut run = Watched::start();
    assert!(run.hear(task("a:1", 1, started())) > 0);
    assert_eq!(run.hear(task("a:1", 1, started())), 0);
    assert!(run.hear(task("a:1", 2, ended(SeenEnd::Failed))) > 0);
    assert_eq!(run.hear(task("a:1", 2, ended(SeenEnd::Failed))), 0);
}

#[test]
fn an_end_without_a_word_for_it_is_a_failure_if_a_task_has_failed() {
    let mut run = Watched::start();
    run.hear(task("a:1", 2, ended(SeenEnd::Failed)));
    run.hear(flow(4, FlowWord::Ended, None));
    assert_eq!(run.state.status, RunStatus::Failed);
    assert_eq!(run.state.error.as_ref().unwrap().step.as_deref(), Some("a:1"));
    let seen =
        FlowSeen { at: at(0), what: FlowWord::Started, tolerates: true, ..FlowSeen::default() };
    run.hear(Seen::Flow(Box::new(seen)));
    assert_eq!(run.state.status, RunStatus::Succeeded, "its policy says that it goes on");
}

#[test]
fn tasks_of_a_run_that_is_over_are_cancelled_until_their_own_end_is_heard_of() {
    let mut run = Watched::start();
    run.hear(task("a:1", 1, started()));
    run.hear(flow(4, FlowWord::Ended, Some(SeenEnd::Failed)));
    assert_eq!(run.step("a:1"), StepStatus::Cancelled);
    run.hear(task("b:1", 2, started()));
    assert_eq!(run.step("b:1"), StepStatus::Cancelled);
    run.hear(task("a:1", 3, ended(SeenEnd::Succeeded)));
    assert_eq!(run.step("a:1"), StepStatus::Succeeded);
    assert_eq!(run.state.status, RunStatus::Failed);
}

#[test]
fn a_retry_is_another_attempt() {
    let mut run = Watched::start();
    run.hear(task("a:1", 1, started()));
    let retry = TaskSeen { at: at(2), what: TaskWord::Retried, attempt: 1, ..TaskSeen::default() };
    run.hear(Seen::Task { path: "a:1".to_owned(), seen: Box::new(retry) });
    assert_eq!((run.step("a:1"), run.state.step("a:1").unwrap().attempt), (StepStatus::Running, 2));
    run.hear(task("a:1", 3, ended(SeenEnd::Succeeded)));
    assert_eq!(run.step("a:1"), StepStatus::Succeeded);
    assert_eq!(run.state.step("a:1").unwrap().attempt, 2);
}

#[test]
fn silence_is_judged_and_the_judgement_taken_back() {
    let mut run = Watched::start();
    run.hear(task("a:1", 1, started()));
    run.wait(Duration::from_secs(400));
    // It changes nothing, but shows that somebody is there.
    run.hear(task("a:1", 1, TaskWord::Noted));
    run.wait(Duration::from_secs(300));
    assert_eq!(run.try_take(What::TimerFired { path: String::new() }).map(drop), {
        let path = String::new();
        Err(Refused::TooEarly { path, until: run.state.deadline().unwrap() })
    });
    run.wait(Duration::from_secs(300));
    run.silence();
    assert_eq!(run.state.reason.as_deref(), Some("stalled"));
    assert_eq!(run.state.status, RunStatus::Running);
    run.hear(task("b:1", 2, started()));
    assert_eq!(run.state.reason, None);
    run.hear(task("b:1", 3, ended(SeenEnd::Failed)));
    run.hear(task("a:1", 4, ended(SeenEnd::Succeeded)));
    run.wait(Duration::from_secs(600));
    run.silence();
    assert_eq!(run.state.status, RunStatus::Failed);
    assert_eq!(run.state.reason.as_deref(), Some("no_terminal_event"));
    assert_eq!(run.state.finished_at, Some(at(4)));
    run.hear(task("c:1", 5, started()));
    assert_eq!((run.state.status, run.step("c:1")), (RunStatus::Running, StepStatus::Running));
    // Where a task may fail, others are waited for.
    let seen = FlowSeen { at: at(5), tolerates: true, ..FlowSeen::default() };
    run.hear(Seen::Flow(Box::new(seen)));
    run.wait(Duration::from_secs(600));
    run.silence();
    run.wait(Duration::from_secs(86_400));
    run.silence();
    assert_eq!(run.state.reason.as_deref(), Some("given_up"));
    assert_eq!((run.state.status, run.step("c:1")), (RunStatus::Failed, StepStatus::Cancelled));
    run.hear(task("d:1", 6, started()));
    assert_eq!(run.step("c:1"), StepStatus::Running, "it was cut short by the silence alone");
    assert_eq!(RunState::replay(&run.events).unwrap(), run.state);
}

#[test]
fn silence_after_a_failure_is_a_failure_whoever_was_cancelled_with_it() {
    let mut run = Watched::start();
    run.hear(task("a:1", 1, started()));
    run.hear(task("b:1", 2, ended(SeenEnd::Failed)));
    run.wait(Duration::from_secs(600));
    run.silence();
    assert_eq!(run.state.reason.as_deref(), Some("no_terminal_event"));
    assert_eq!((run.state.status, run.step("a:1")), (RunStatus::Failed, StepStatus::Cancelled));
    // A line of a task that is known is no event of the task, and shows that it goes on.
    run.hear(Seen::noted("a:1", at(1)));
    assert_eq!((run.state.status, run.step("a:1")), (RunStatus::Running, StepStatus::Running));
    assert_eq!(RunState::replay(&run.events).unwrap(), run.state);
}

#[test]
fn lines_are_no_events() {
    let mut run = Watched::start();
    run.hear(flow(0, FlowWord::Started, None));
    run.hear(task("a:1", 1, started()));
    let before = run.events.len();
    for second in 1..60 {
        run.hear(Seen::noted("", at(second)));
        run.hear(Seen::noted("a:1", at(second)));
    }
    assert!(run.events.len() <= before + 2, "{}", run.events.len() - before);
}

#[test]
fn the_failure_of_a_run_is_that_of_the_task_that_failed_first() {
    let mut run = Watched::start();
    run.hear(flow(100, FlowWord::Ended, None));
    for (path, second, culprit) in [("c:1", 9, "c:1"), ("d:1", 10, "c:1"), ("b:1", 8, "b:1")] {
        run.hear(task(path, second, ended(SeenEnd::Failed)));
        assert_eq!(run.state.error.as_ref().unwrap().step.as_deref(), Some(culprit));
    }
    // It was tried again, and succeeded.
    run.hear(task("b:1", 11, ended(SeenEnd::Succeeded)));
    assert_eq!(run.state.error.as_ref().unwrap().step.as_deref(), Some("c:1"));
}

#[test]
fn of_what_is_said_of_one_moment_the_attempt_says_what_came_last() {
    let mut run = Watched::start();
    let word = |seconds, what, attempt| {
        let seen = TaskSeen { at: at(seconds), what, attempt, ..TaskSeen::default() };
        Seen::Task { path: "a:1".to_owned(), seen: Box::new(seen) }
    };
    run.hear(word(100, TaskWord::Started, 1));
    run.hear(word(101, TaskWord::Ended(SeenEnd::Failed), 1));
    run.hear(word(101, TaskWord::Started, 2));
    assert_eq!(run.step("a:1"), StepStatus::Running);
}

#[test]
fn nobody_here_drives_it() {
    let mut run = Watched::start();
    let cancel = What::Cancel { by: "ada".to_owned(), reason: None };
    assert_eq!(run.try_take(cancel), Err(Refused::OnlyWatched));
    let refused = create(run.plan, CreateRun::default(), BEGIN).unwrap_err();
    assert_eq!(refused, Refused::OnlyWatched);
}

#[test]
fn the_first_word_that_names_a_flow_counts() {
    let mut run = Watched::start();
    run.hear(task("a:1", 1, started()));
    assert_eq!(run.state.created.workflow, UNKNOWN_FLOW);
    assert_eq!(run.hear(named(false)), 1);
    assert_eq!(run.state.created.workflow, "nightly");
    assert_eq!(run.hear(named(true)), 1);
    assert_eq!(run.state.created.workflow, "shop:nightly");
    assert_eq!(run.hear(named(false)), 0, "a key says more than a name");
    let Seen::Named(mut other) = named(true) else { unreachable!() };
    other.workflow = "shop:daily".to_owned();
    assert_eq!(run.hear(Seen::Named(other)), 0);
    assert_eq!(run.step("a:1"), StepStatus::Running);
    assert_eq!(RunState::replay(&run.events).unwrap(), run.state);
}

#[test]
fn a_run_is_labelled_by_its_tags_and_some_of_its_metadata() {
    let mut run = Watched::start();
    let say = |seconds, tags: &[String], metadata: Value| {
        let (tags, metadata) = (tags.iter().cloned().collect(), Some(Arc::new(metadata)));
        Seen::Flow(Box::new(FlowSeen { at: at(seconds), tags, metadata, ..FlowSeen::default() }))
    };
    let labels = |run: &Watched| serde_json::to_value(&run.state.created.labels).unwrap();
    let tags = ["etl".to_owned(), "x".repeat(300), "bell\u{7}".to_owned()];
    let metadata = json!({ "env": "prod", "git_sha": ["a"], "triggered_by": 7, "host": "h" });
    run.hear(say(1, &tags, metadata));
    assert_eq!(labels(&run), json!({ "env": "prod", "tag.etl": "true", "triggered_by": "7" }));
    let many: Vec<String> = (0..40).map(|number| format!("b{number}")).collect();
    run.hear(say(2, &many, json!({ "env": "test" })));
    let more: Vec<String> = (0..40).map(|number| format!("a{number}")).collect();
    run.hear(say(3, &more, json!({ "env": "test", "git_sha": "abc" })));
    assert_eq!(run.state.created.labels.len(), LABEL_COUNT_MAX, "and no more, whatever comes");
    assert_eq!(labels(&run)["env"], "test");
    assert_eq!(labels(&run)["tag.b39"], "true", "what is there stays");
    assert_eq!(RunState::replay(&run.events).unwrap(), run.state);
}

fn any_end() -> impl Strategy<Value = SeenEnd> {
    prop_oneof![
        Just(SeenEnd::Succeeded),
        Just(SeenEnd::Failed),
        Just(SeenEnd::Cancelled),
        Just(SeenEnd::Skipped)
    ]
}

fn any_value() -> impl Strategy<Value = Option<Arc<Value>>> {
    prop::option::of((0..3).prop_map(|number| Arc::new(json!({ "n": number }))))
}

fn any_metadata() -> impl Strategy<Value = Option<Arc<Value>>> {
    prop::option::of((0..3).prop_map(|number| Arc::new(json!({ "env": number }))))
}

/// Which flow the run is of. All who give its key give the same.
fn named(has_key: bool) -> Seen {
    Seen::Named(Box::new(FlowName {
        workflow: if has_key { "shop:nightly" } else { "nightly" }.to_owned(),
        called: has_key.then(|| "nightly".to_owned()),
        workflow_id: Uuid::from_u128(2),
        version: 1,
        definition_id: Uuid::from_u128(3),
    }))
}

fn any_flow() -> impl Strategy<Value = Seen> {
    let what = prop_oneof![Just(FlowWord::Noted), Just(FlowWord::Started), Just(FlowWord::Ended)];
    let tags = prop::collection::btree_set("[abc]", 0..3);
    let values = (any_value(), any_value(), any_metadata());
    (0..20_i64, what, prop::option::of(any_end()), tags, any::<bool>(), values).prop_map(
        |(seconds, what, status, tags, tolerates, (output, params, metadata))| {
            let error = (status == Some(SeenEnd::Failed))
                .then(|| Failure::new("boom", format!("at {seconds}")));
            let tags: BTreeSet<String> = tags;
            Seen::Flow(Box::new(FlowSeen {
                at: at(seconds),
                what,
                status,
                error,
                output,
                params,
                metadata,
                tags,
                tolerates,
            }))
        },
    )
}

fn any_task() -> impl Strategy<Value = Seen> {
    let what = prop_oneof![
        Just(TaskWord::Noted),
        Just(TaskWord::Started),
        Just(TaskWord::Retried),
        any_end().prop_map(TaskWord::Ended)
    ];
    let duration = prop::option::of((0..5_u64).prop_map(HumanDuration::from_secs));
    ("[abcd]:1", 0..20_i64, what, 0..3_u32, duration, any_value(), any_value()).prop_map(
        |(path, seconds, what, attempt, duration, output, about)| {
            let error = matches!(what, TaskWord::Ended(SeenEnd::Failed))
                .then(|| Failure::new("boom", format!("{path} {attempt}")));
            let at = at(seconds);
            let restates = false;
            let seen = TaskSeen { at, what, attempt, duration, error, output, about, restates };
            Seen::Task { path, seen: Box::new(seen) }
        },
    )
}

fn any_word() -> impl Strategy<Value = Seen> {
    prop_oneof![8 => any_flow(), 8 => any_task(), 1 => any::<bool>().prop_map(named)]
}

proptest! {
    /// Out of order, doubled and late: the same words amount to the same, whether the first of them
    /// says which flow the run is of, or the last, or none.
    #[test]
    fn the_order_of_words_does_not_matter(
        (words, shuffled) in prop::collection::vec(any_word(), 1..40)
            .prop_flat_map(|words| {
                let mut twice = words.clone();
                twice.extend(words.iter().step_by(2).cloned());
                (Just(words), Just(twice).prop_shuffle())
            })
    ) {
        let (mut in_order, mut other) = (Watched::start(), Watched::start());
        for word in words {
            in_order.hear(word);
        }
        for word in shuffled {
            other.hear(word);
        }
        prop_assert_eq!(in_order.stands(), other.stands());
        prop_assert_eq!(RunState::replay(&other.events).unwrap(), other.state);
    }

    /// The end that a reader of the journal finds last is the one that counts.
    #[test]
    fn the_last_end_in_the_journal_is_the_one_that_counts(
        words in prop::collection::vec(any_task(), 1..40)
    ) {
        let mut run = Watched::start();
        for word in words {
            run.hear(word);
        }
        let mut ends = std::collections::BTreeMap::new();
        for event in &run.events {
            if let Fact::TaskSeen { path, seen } = &event.fact
                && matches!(seen.what, TaskWord::Ended(_))
            {
                ends.insert(path.clone(), seen.at);
            }
        }
        for (path, step) in run.state.steps() {
            if step.status.is_terminal() {
                prop_assert_eq!(step.finished_at, ends.get(path).copied());
            }
        }
    }
}
