//! A run on the desk: every input is decided, folded and checked against a replay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::definition::{Plan, check};
use crate::failure::Failure;
use crate::kinds::{Kind, Kinds, NodeConfig, Work};
use crate::run::*;
use crate::time::Time;

/// Work outside of the core, whose end the test decides.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Outside {}

impl NodeConfig for Outside {
    const KIND: &'static str = "work";
    const SUMMARY: &'static str = "Stands for work outside";
    const EXAMPLE: &'static str = "";
}

pub(super) fn kinds() -> Kinds {
    let mut kinds = Kinds::pure();
    kinds.add(Kind::new::<Outside>(Work::Outside));
    kinds
}

pub(in crate::run) fn plan(text: &str) -> Plan {
    let checked = check(text, &kinds());
    checked.plan.unwrap_or_else(|| panic!("{text}\n{:#?}", checked.findings))
}

pub(in crate::run) struct Run {
    pub(in crate::run) plan: Plan,
    pub(in crate::run) state: RunState,
    pub(super) events: Vec<Event>,
    pub(in crate::run) now: Time,
    /// What the world owes, by the effects of the events alone.
    owed: BTreeMap<String, Effect>,
}

impl Run {
    /// A run of `text`, gone as far as it goes by itself.
    pub(in crate::run) fn start(text: &str, input: Value) -> Run {
        let mut run = Run::create(plan(text), input);
        run.advance();
        run
    }

    pub(in crate::run) fn create(plan: Plan, input: Value) -> Run {
        Run::create_by("", plan, input)
    }

    pub(super) fn create_by(by: &str, plan: Plan, input: Value) -> Run {
        let now = Time::from_micros(1_000_000);
        let by = (!by.is_empty()).then(|| by.to_owned());
        let request = CreateRun { version: 1, input, by, ..CreateRun::default() };
        let created = create(&plan, request, now).unwrap();
        let state = RunState::from_first(&created).unwrap();
        Run { plan, state, events: vec![created], now, owed: BTreeMap::new() }
    }

    pub(in crate::run) fn give(&mut self, what: What) -> Result<(), Refused> {
        self.decide(what)?;
        self.advance();
        Ok(())
    }

    pub(super) fn decide(&mut self, what: What) -> Result<usize, Refused> {
        let before = self.state.clone();
        let input = Input { now: self.now, dice: 0.5, what };
        let events = match self.state.decide(&self.plan, &input) {
            Ok(events) => events,
            Err(refused) => {
                assert_eq!(self.state, before, "a refusal changes nothing");
                return Err(refused);
            }
        };
        for event in &events {
            self.state.evolve(event);
            self.note_effect(&event.fact);
        }
        self.events.extend(events.iter().cloned());
        Ok(events.len())
    }

    pub(super) fn advance(&mut self) {
        while self.decide(What::Advance).unwrap() > 0 {}
        self.check_laws();
    }

    fn note_effect(&mut self, fact: &Fact) {
        if let Some(step) = fact.step()
            && !matches!(
                fact,
                Fact::AttemptStarted { .. }
                    | Fact::MapOpened { .. }
                    | Fact::LoopOpened { .. }
                    | Fact::TryOpened { .. }
                    | Fact::StepRecorded { .. }
                    | Fact::StepDecided { .. }
                    | Fact::EventTaken { .. }
            )
        {
            self.owed.remove(step);
        }
        let ends_deadline = match fact {
            Fact::Stopping { at, .. } => at.is_empty(),
            Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. } => true,
            _ => false,
        };
        if ends_deadline {
            self.owed.remove("");
        }
        match Effect::of(fact) {
            Some(Effect::StopAttempt { .. }) | None => {}
            Some(effect) => {
                let step = fact.step().unwrap_or("").to_owned();
                self.owed.insert(step, effect);
            }
        }
    }

    pub(super) fn check_laws(&self) {
        let text: Vec<String> =
            self.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        let read: Vec<Event> =
            text.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, self.events, "a journal is read as it was written");
        assert_eq!(RunState::replay(&read).unwrap(), self.state, "replay is live");
        let snapshot = serde_json::to_string(&self.state).unwrap();
        let woken: RunState = serde_json::from_str(&snapshot).unwrap();
        assert_eq!(woken, self.state, "a snapshot is the state");
        let owed: BTreeSet<Effect> = self.owed.values().cloned().collect();
        let outstanding: BTreeSet<Effect> = self.state.outstanding().collect();
        assert_eq!(owed, outstanding, "orders follow from events as from the state");
    }

    pub(super) fn succeed(&mut self, path: &str, output: Value) -> Result<(), Refused> {
        self.end(path, Ok(Arc::new(output)))
    }

    pub(in crate::run) fn fail(&mut self, path: &str, code: &str) -> Result<(), Refused> {
        let failure = Failure::new(code, "it did not work");
        self.end(path, Err(AttemptError::new(failure, false)))
    }

    pub(super) fn end(
        &mut self,
        path: &str,
        result: Result<Arc<Value>, AttemptError>,
    ) -> Result<(), Refused> {
        let attempt = self.state.step(path).map_or(0, |step| step.attempt);
        let started_at = self.now;
        self.give(What::AttemptEnded { path: path.into(), attempt, started_at, result })
    }

    pub(super) fn wait(&mut self, millis: u64) {
        self.now = self.now.plus(Duration::from_millis(millis));
    }

    pub(super) fn fire(&mut self, path: &str) -> Result<(), Refused> {
        self.give(What::TimerFired { path: path.into() })
    }

    /// `path status`, in the order in which the steps came up; with the reason where there is one.
    pub(super) fn steps(&self) -> Vec<String> {
        let mut steps: Vec<(&str, &Step)> = self.state.steps().collect();
        steps.sort_by_key(|(_, step)| step.ordinal);
        let shown = steps.into_iter().map(|(path, step)| match &step.reason {
            Some(reason) => format!("{path} {} ({reason})", step.status),
            None => format!("{path} {}", step.status),
        });
        shown.collect()
    }

    /// The names of the events since the run was created.
    pub(super) fn facts(&self) -> Vec<String> {
        let shown = self.events.iter().map(|event| match event.fact.step() {
            Some(step) => format!("{} {step}", event.fact.name()),
            None => event.fact.name().to_owned(),
        });
        shown.collect()
    }

    pub(super) fn status(&self) -> RunStatus {
        self.state.status
    }

    pub(super) fn error(&self) -> String {
        self.state.error.as_ref().map_or_else(String::new, ToString::to_string)
    }

    pub(super) fn output(&self) -> Value {
        self.state.output.as_deref().cloned().unwrap_or(Value::Null)
    }
}
