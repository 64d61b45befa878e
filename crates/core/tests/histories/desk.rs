//! A run that goes as a scene has it, decided by the present version.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;
use windlass_core::definition::{Plan, check};
use windlass_core::kinds::{Kind, Kinds, NodeConfig, Work};
use windlass_core::run::{
    AttemptError, CreateRun, Decision, Event, Fact, FlowName, FlowSeen, Hold, Input, Mark,
    ObservedTerms, Outcome, PilotAct, RunState, RunStatus, Seen, SeenEnd, Step, TaskAct, TaskSeen,
    TaskWord, UnitDone, UnitTerms, Verdict, Vote, What, create, derived_id,
};
use windlass_core::{Failure, HumanDuration, Time};

use crate::scenes::{Act, Scene};

/// Work outside of the core. It takes any config.
#[derive(Deserialize, JsonSchema)]
struct Outside {}

impl NodeConfig for Outside {
    const KIND: &'static str = "work";
    const SUMMARY: &'static str = "Stands for work outside";
    const EXAMPLE: &'static str = "";
}

fn plan(text: &str) -> Plan {
    let mut kinds = Kinds::pure();
    kinds.add(Kind::new::<Outside>(Work::Outside));
    let checked = check(text, &kinds);
    checked.plan.unwrap_or_else(|| panic!("{text}\n{:#?}", checked.findings))
}

struct Desk {
    plan: Plan,
    state: RunState,
    events: Vec<Event>,
    now: Time,
}

/// The journal of a scene.
pub(crate) fn play(scene: &Scene) -> Vec<Event> {
    let now = Time::parse("2026-01-05T09:00:00.000123Z").unwrap();
    let plan = plan(scene.text);
    let id = |number: u128| Uuid::from_u128(0x019b_8d5a_7c00_7000_8000_0000_0000_0000 + number);
    let request = CreateRun {
        run_id: id(1),
        workflow_id: id(2),
        version: 3,
        definition_id: id(4),
        input: scene.input.clone(),
        labels: BTreeMap::from([("team".to_owned(), "sales".to_owned())]),
        rerun_of: scene.is_named.then(|| id(5)),
        external_id: scene.is_named.then(|| "order-7".to_owned()),
        observed: plan.flow.is_some().then(|| ObservedTerms {
            stalled_after: HumanDuration::from_secs(600),
            given_up_after: HumanDuration::from_secs(86_400),
        }),
        unit: plan.tokens.is_some().then(UnitTerms::default),
        ..CreateRun::default()
    };
    let created = create(&plan, request, now).unwrap();
    let state = RunState::from_first(&created).unwrap();
    let mut desk = Desk { plan, state, events: vec![created], now };
    for act in &scene.acts {
        desk.act(act);
    }
    desk.events
}

impl Desk {
    fn act(&mut self, act: &Act) {
        self.now = self.now.plus(Duration::from_millis(7));
        let what = match act {
            Act::Trigger(status) => return self.trigger(*status),
            Act::Go => What::Advance,
            Act::Wait(millis) => {
                self.now = self.now.plus(Duration::from_millis(*millis));
                return;
            }
            Act::Start(path) => {
                What::AttemptStarted { path: path.to_string(), attempt: self.attempt(path) }
            }
            Act::Succeed(path, output) => self.ended(path, Ok(Arc::new(output.clone()))),
            Act::Fail(path, code) => self.ended(path, Err(error(code, false))),
            Act::FailForGood(path, code) => self.ended(path, Err(error(code, true))),
            Act::Lose(path) => {
                What::AttemptLost { path: path.to_string(), attempt: self.attempt(path) }
            }
            Act::Fire(path) => What::TimerFired { path: path.to_string() },
            Act::MarkSucceeded(path, output) => {
                marked(path, Mark::Succeeded(Arc::new(output.clone())))
            }
            Act::MarkSkipped(path) => marked(path, Mark::Skipped),
            Act::Cancel(reason) => {
                What::Cancel { by: "somebody".to_owned(), reason: reason.map(str::to_owned) }
            }
            Act::Pause => {
                What::Pause { by: "somebody".to_owned(), reason: Some("lunch".to_owned()) }
            }
            Act::Resume => What::Resume { by: "somebody".to_owned(), reason: None },
            Act::Admit => What::Admit,
            Act::ChildStarted(path) => {
                What::ChildStarted { path: path.to_string(), child: self.child(path) }
            }
            Act::ChildEnded(path, output) => {
                let (path, child) = (path.to_string(), self.child(path));
                What::ChildEnded { path, child, result: Ok(Arc::new(output.clone())) }
            }
            Act::Approve(path, by) => voted(path, by, Verdict::Approve),
            Act::Reject(path, by) => voted(path, by, Verdict::Reject),
            Act::Signal(name, payload) => What::Signal {
                name: name.to_string(),
                payload: Arc::new(payload.clone()),
                by: "somebody".to_owned(),
                id: Some(format!("signal-{}", self.events.len())),
            },
            Act::Event(path, name, data) => What::Event {
                path: path.to_string(),
                name: name.to_string(),
                data: Arc::new(data.clone()),
                by: "somebody".to_owned(),
            },
            Act::Record(path, key) => What::AttemptRecorded {
                path: path.to_string(),
                attempt: self.attempt(path),
                key: key.to_string(),
                value: Arc::new(Value::from(*key)),
            },
            Act::Cached(path, output) => What::AttemptCached {
                path: path.to_string(),
                attempt: self.attempt(path),
                run_id: Uuid::from_u128(9),
                output: Arc::new(output.clone()),
            },
            Act::Ask(path, title) => What::AttemptAsks {
                path: path.to_string(),
                attempt: self.attempt(path),
                started_at: self.now,
                key: "answer".to_owned(),
                ask: Arc::new(serde_json::json!({ "title": title })),
            },
            Act::Claim(path, role) => {
                let (by, role) = ("ada".to_owned(), role.map(str::to_owned));
                task(path, TaskAct::Claim { by, role, lease: HumanDuration::from_secs(300) })
            }
            Act::HandIn(path, output) => {
                let outcome = Outcome::Output(Arc::new(output.clone()));
                task(path, TaskAct::Complete { hold: hold(), outcome })
            }
            Act::Submit(path, new, parts) => {
                let part = |(number, part): (usize, &Value)| {
                    let id = 0x0200 + 0x10 * self.events.len() as u128 + number as u128;
                    (Uuid::from_u128(id), attributes(part))
                };
                let done = UnitDone {
                    attributes: attributes(new),
                    reasoning: Some("it is so".to_owned()),
                    children: parts.iter().enumerate().map(part).collect(),
                };
                let outcome = Outcome::Unit(Box::new(done));
                task(path, TaskAct::Complete { hold: hold(), outcome })
            }
            Act::GiveUp(path) => {
                task(path, TaskAct::Fail { hold: hold(), error: error("torn", false) })
            }
            Act::GiveBack(path) => task(path, TaskAct::Release { hold: hold() }),
            Act::Checkpoint(path, value) => {
                let value = Arc::new(value.clone());
                task(path, TaskAct::Checkpoint { hold: hold(), value })
            }
            Act::Vanish(path) => {
                let fence = self.state.offer(path).expect("somebody has it").fence;
                task(path, TaskAct::Lost { fence })
            }
            Act::Kill => piloted("", PilotAct::Kill { reason: "smoke".to_owned() }),
            Act::LetGo(path, None) => piloted(path, PilotAct::Resume),
            Act::LetGo(path, Some(rule)) => {
                let (rule, reason) = (rule.to_string(), "seen".to_owned());
                piloted(path, PilotAct::Waive { rule, reason })
            }
            Act::Flow(what, status) => What::Seen(Seen::Flow(Box::new(FlowSeen {
                at: self.now,
                what: *what,
                status: *status,
                params: Some(Arc::new(serde_json::json!({ "day": 7 }))),
                ..FlowSeen::default()
            }))),
            Act::Task(path, what) => {
                let is_bad = *what == TaskWord::Ended(SeenEnd::Failed);
                let error = is_bad.then(|| Failure::new("task_failed", "it has failed"));
                let seen = TaskSeen { at: self.now, what: *what, error, ..TaskSeen::default() };
                What::Seen(Seen::Task { path: path.to_string(), seen: Box::new(seen) })
            }
            Act::Name(flow) => What::Seen(Seen::Named(Box::new(FlowName {
                workflow: flow.to_string(),
                called: None,
                workflow_id: Uuid::from_u128(0x0301),
                version: 2,
                definition_id: Uuid::from_u128(0x0302),
            }))),
            Act::Line(id) => What::Seen(Seen::Lines(vec![*id])),
            Act::Abort(code) => What::Abort { error: Failure::new(*code, "past a limit") },
        };
        self.decide(what);
        while self.decide(What::Advance) > 0 {}
    }

    /// Nothing in the core decides it: who listens is not known there.
    fn trigger(&mut self, status: RunStatus) {
        let fact = Fact::Triggered {
            status,
            run_id: derived_id(self.state.created.run_id, status.as_str(), self.now),
            workflow_id: Uuid::from_u128(0x0300),
            workflow: "Alert".to_owned(),
        };
        let event = Event { at: self.now, fact };
        self.state.evolve(&event);
        self.events.push(event);
    }

    fn decide(&mut self, what: What) -> usize {
        let input = Input { now: self.now, dice: 0.5, what };
        let events = self.state.decide(&self.plan, &input).unwrap();
        events.iter().for_each(|event| self.state.evolve(event));
        let count = events.len();
        self.events.extend(events);
        count
    }

    fn attempt(&self, path: &str) -> u32 {
        self.state.step(path).unwrap_or_else(|| panic!("there is no step `{path}`")).attempt
    }

    fn child(&self, path: &str) -> Uuid {
        self.state.step(path).and_then(Step::child).expect("the step has asked for a run").run_id
    }

    fn ended(&self, path: &str, result: Result<Arc<Value>, AttemptError>) -> What {
        let started_at = Time::from_micros(self.now.micros() - 2_000);
        What::AttemptEnded { path: path.into(), attempt: self.attempt(path), started_at, result }
    }
}

fn error(code: &str, is_final: bool) -> AttemptError {
    let details = serde_json::json!({ "exit_code": 3, "stderr": "no\n" });
    AttemptError::new(Failure::new(code, "it did not work").with(details), is_final)
}

fn hold() -> Hold {
    Hold { by: "ada".to_owned(), fence: None }
}

fn task(path: &str, act: TaskAct) -> What {
    What::Task { path: path.to_owned(), act }
}

fn piloted(path: &str, act: PilotAct) -> What {
    What::Pilot { path: path.to_owned(), by: "grace".to_owned(), act }
}

fn attributes(value: &Value) -> BTreeMap<String, Value> {
    value.as_object().cloned().unwrap_or_default().into_iter().collect()
}

fn marked(path: &str, mark: Mark) -> What {
    let (by, reason) = ("somebody".to_owned(), Some("they looked".to_owned()));
    What::Mark { path: path.to_owned(), mark, by, reason }
}

fn voted(path: &str, by: &str, verdict: Verdict) -> What {
    let comment = Some("I have looked".to_owned());
    let decision = Decision { by: by.to_owned(), verdict, form: None, comment };
    let vote = Vote { decision, roles: Vec::new(), hash: None };
    What::Vote { path: path.to_owned(), vote }
}
