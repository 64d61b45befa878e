//! Steps that wait for somebody's word: decisions, signals, events from outside.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Decider;
use super::start::check_size;
use crate::failure::Failure;
use crate::json;
use crate::kinds::{
    Approval, Awaits, OnDeadline, OnReject, OnTimeout, Wait, WaitEvent, WaitSignal, parse_config,
};
use crate::limits::{SIGNAL_COUNT_MAX, SIGNALS_KEPT_MAX};
use crate::run::event::{Decision, Fact, Verdict};
use crate::run::input::{Refused, Vote};
use crate::run::state::Ask;
use crate::run::{Step, StepStatus};
use crate::schema::Schema;
use crate::time::Time;

/// Words of an approval's output.
const APPROVE: Verdict = Verdict::Approve;
const REJECT: Verdict = Verdict::Reject;

impl Decider<'_> {
    /// A step begins to wait, unless the signal it waits for has come before.
    pub(super) fn await_word(
        &self,
        path: &str,
        kind: &str,
        config: Value,
        Wait { awaits, time }: Wait,
    ) -> Vec<Fact> {
        if let Awaits::Signal(name) = &awaits
            && let Some(signal) = self.state.inbox.get(name.as_str()).and_then(|all| all.front())
            && let Some(place) = self.locate(path)
        {
            let taken = Fact::SignalTaken { by: path.to_owned(), name: name.clone() };
            let payload = signal.payload.clone();
            let ended = self.succeed(path, place, 1, Some(self.now), payload, None);
            return std::iter::once(taken).chain(ended).collect();
        }
        vec![Fact::StepAwaiting {
            path: path.to_owned(),
            kind: kind.to_owned(),
            input: Arc::new(config),
            awaits,
            until: time.map(|time| self.now.plus(time)),
            resumes: None,
        }]
    }

    /// Somebody decides about what a step asks.
    pub(super) fn vote(&self, path: &str, vote: &Vote) -> Result<Vec<Fact>, Refused> {
        let (step, ask) = self.asking(path)?;
        if ask.awaits != Awaits::Approval {
            return Err(Refused::NotAsked(path.to_owned()));
        }
        if vote.hash.as_ref().is_some_and(|hash| *hash != ask.hash(path)) {
            return Err(Refused::OtherSubject(path.to_owned()));
        }
        let approval = approval_of(ask)?;
        let requester = self.state.created.by.as_deref();
        let is_named = |name: &String| match name.strip_prefix("role:") {
            Some(role) => vote.roles.iter().any(|own| own == role),
            None => *name == vote.decision.by || name == person(&vote.decision.by),
        };
        let is_same = |other: &str| person(other) == person(&vote.decision.by);
        let may = approval.approvers.is_empty() || approval.approvers.iter().any(is_named);
        if !may || approval.not_by_requester && requester.is_some_and(is_same) {
            return Err(Refused::NotApprover(vote.decision.by.clone()));
        }
        if ask.decisions.iter().any(|earlier| is_same(&earlier.by)) {
            return Err(Refused::DecidedAlready(vote.decision.by.clone()));
        }
        check_form(&approval, &vote.decision)?;
        let decided =
            Fact::StepDecided { path: path.to_owned(), decision: Box::new(vote.decision.clone()) };
        let decisions: Vec<&Decision> = ask.decisions.iter().chain([&vote.decision]).collect();
        let count = |verdict| {
            let count = decisions.iter().filter(|one| one.verdict == verdict).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let verdict = if count(APPROVE) >= approval.quorum.needed {
            APPROVE
        } else if approval.quorum.is_out_of_reach(count(REJECT)) {
            REJECT
        } else {
            return Ok(vec![decided]);
        };
        let ended = self.decided(path, (step, ask), &approval, verdict, &decisions);
        Ok(std::iter::once(decided).chain(ended).collect())
    }

    /// What follows from enough decisions, or from a time that is up.
    fn decided(
        &self,
        path: &str,
        (step, ask): (&Step, &Ask),
        approval: &Approval,
        verdict: Verdict,
        decisions: &[&Decision],
    ) -> Vec<Fact> {
        let last = decisions.last().filter(|last| last.verdict == verdict);
        let output = json!({
            "decision": verdict.as_str(),
            "approved": verdict == APPROVE,
            "form": last.and_then(|last| last.form.as_ref()),
            "by": last.map(|last| &last.by),
            "comment": last.and_then(|last| last.comment.as_ref()),
            "decisions": decisions,
        });
        if let Some(facts) = self.go_on_with(path, ask, &output) {
            return facts;
        }
        let Some(place) = self.locate(path) else { return self.lost(path) };
        let (attempt, began) = (step.attempt, step.started_at);
        if verdict == REJECT && approval.on_reject == OnReject::Fail {
            let message = match last {
                Some(Decision { by, comment: Some(comment), .. }) => {
                    format!("`{by}` has rejected it: {comment}")
                }
                Some(Decision { by, .. }) => format!("`{by}` has rejected it"),
                None => "nobody has decided in time".to_owned(),
            };
            let failure = Failure::new("rejected", message).with(output);
            return self.fail(path, place, attempt, began, failure);
        }
        self.succeed(path, place, attempt, began, Arc::new(output), None)
    }

    /// The attempt that has asked goes on with the answer. `None` if it was the step itself.
    fn go_on_with(&self, path: &str, ask: &Ask, answer: &Value) -> Option<Vec<Fact>> {
        let resume = ask.resumes.as_ref()?;
        let (path, attempt) = (path.to_owned(), resume.attempt);
        let value = Arc::new(answer.clone());
        let key = resume.key.clone();
        Some(vec![
            Fact::StepRecorded { path: path.clone(), attempt, key, value },
            Fact::AttemptQueued { path, attempt: attempt + 1 },
        ])
    }

    /// The run is sent a signal: the step that has waited longest takes it, or it is kept.
    pub(super) fn signal(
        &self,
        name: &str,
        payload: &Arc<Value>,
        by: &str,
        id: Option<&str>,
    ) -> Result<Vec<Fact>, Refused> {
        if let Some(id) = id.filter(|id| self.state.signal_ids.contains(*id)) {
            return Err(Refused::SignalKnown(id.to_owned()));
        }
        check_size(payload, "payload").map_err(Refused::BadOutput)?;
        let kept: usize = self.state.inbox.values().map(|signals| signals.len()).sum();
        let listener = self.state.listeners.get(name).and_then(|all| all.values().next());
        let has_room = listener.is_some() || kept < SIGNALS_KEPT_MAX;
        if self.state.signal_count >= SIGNAL_COUNT_MAX || !has_room {
            return Err(Refused::TooManySignals);
        }
        let mut facts = vec![Fact::SignalReceived {
            name: name.to_owned(),
            payload: payload.clone(),
            by: by.to_owned(),
            id: id.map(str::to_owned),
        }];
        let Some(path) = listener else { return Ok(facts) };
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let began = self.state.steps.get(path).and_then(|step| step.started_at);
        facts.push(Fact::SignalTaken { by: path.to_string(), name: name.to_owned() });
        facts.extend(self.succeed(path, place, 1, began, payload.clone(), None));
        Ok(facts)
    }

    /// An event from outside may be the one that a step waits for.
    pub(super) fn event(
        &self,
        path: &str,
        name: &str,
        data: &Arc<Value>,
        by: &str,
    ) -> Result<Vec<Fact>, Refused> {
        let (step, ask) = self.asking(path)?;
        check_size(data, "data").map_err(Refused::BadOutput)?;
        let is_meant = matches!(&ask.awaits, Awaits::Event(awaited) if awaited == name);
        let config: WaitEvent = parse_config((*ask.input).clone()).map_err(Refused::BadOutput)?;
        if !is_meant || !WaitEvent::fits(&config.matching, data) {
            return Err(Refused::NotAsked(path.to_owned()));
        }
        let Some(place) = self.locate(path) else { return Ok(self.lost(path)) };
        let taken = Fact::EventTaken { path: path.to_owned(), by: by.to_owned() };
        let ended = self.succeed(path, place, step.attempt, step.started_at, data.clone(), None);
        Ok(std::iter::once(taken).chain(ended).collect())
    }

    /// The time is up, or it is time to remind.
    pub(super) fn word_is_late(&self, path: &str, step: &Step, ask: &Ask) -> Vec<Fact> {
        let Some(place) = self.locate(path) else { return self.lost(path) };
        let timeout = match &ask.awaits {
            Awaits::Approval => match approval_of(ask) {
                Ok(approval) => return self.decide_late(path, (step, ask), &approval),
                Err(_) => OnTimeout::Fail,
            },
            Awaits::Signal(_) => parse_config::<WaitSignal>((*ask.input).clone())
                .map_or(OnTimeout::Fail, |config| config.on_timeout),
            Awaits::Event(_) => parse_config::<WaitEvent>((*ask.input).clone())
                .map_or(OnTimeout::Fail, |config| config.on_timeout),
        };
        let (attempt, began) = (step.attempt, step.started_at);
        match timeout {
            OnTimeout::Continue => {
                self.succeed(path, place, attempt, began, Arc::new(Value::Null), None)
            }
            OnTimeout::Fail => {
                let message = format!("no {} came in time", ask.awaits.as_str());
                self.fail(path, place, attempt, began, Failure::new("timeout", message))
            }
        }
    }

    fn decide_late(
        &self,
        path: &str,
        (step, ask): (&Step, &Ask),
        approval: &Approval,
    ) -> Vec<Fact> {
        let waited = self.now.since(ask.since);
        if approval.deadline.is_none_or(|deadline| waited < deadline.0) {
            let until = approval.time(waited).map(|time| self.now.plus(time));
            return vec![Fact::Reminded { path: path.to_owned(), until }];
        }
        let decisions: Vec<&Decision> = ask.decisions.iter().collect();
        match approval.on_deadline.unwrap_or(OnDeadline::Reject) {
            OnDeadline::Approve => self.decided(path, (step, ask), approval, APPROVE, &decisions),
            OnDeadline::Reject => self.decided(path, (step, ask), approval, REJECT, &decisions),
            OnDeadline::Fail => {
                let Some(place) = self.locate(path) else { return self.lost(path) };
                let failure = Failure::new("deadline", "nobody has decided in time");
                self.fail(path, place, step.attempt, step.started_at, failure)
            }
        }
    }

    fn asking(&self, path: &str) -> Result<(&Step, &Ask), Refused> {
        let step = self.state.steps.get(path);
        let step = step.ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        match step.ask.as_deref() {
            Some(ask) if step.status == StepStatus::Waiting => Ok((step, ask)),
            _ => Err(Refused::NotAsked(path.to_owned())),
        }
    }
}

impl Ask {
    /// What a decision is bound to: SHA-256 of the step and of all that is asked.
    pub fn hash(&self, path: &str) -> String {
        json::sha256(&json!([path, self.since.micros(), self.input]))
    }

    /// When nobody is asked any more, if there is such a time.
    pub fn deadline(&self) -> Option<Time> {
        let deadline = match &self.awaits {
            Awaits::Approval => approval_of(self).ok()?.deadline,
            Awaits::Signal(_) => parse_config::<WaitSignal>((*self.input).clone()).ok()?.timeout,
            Awaits::Event(_) => parse_config::<WaitEvent>((*self.input).clone()).ok()?.timeout,
        };
        deadline.map(|deadline| self.since.plus(deadline.0))
    }
}

/// Who stands behind a name such as `key:ada` or `token:ada`, whatever let them in.
fn person(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, person)| person)
}

fn approval_of(ask: &Ask) -> Result<Approval, Refused> {
    parse_config((*ask.input).clone()).map_err(Refused::BadOutput)
}

/// Whoever approves fills in the form; whoever rejects need not.
fn check_form(approval: &Approval, decision: &Decision) -> Result<(), Refused> {
    let Some(schema) = &approval.form else {
        let is_empty = |form: &Value| form.as_object().is_some_and(|fields| fields.is_empty());
        return match &decision.form {
            Some(form) if !is_empty(form) => Err(Refused::NoForm),
            _ => Ok(()),
        };
    };
    let empty = Value::Object(Default::default());
    let form = decision.form.as_ref().unwrap_or(&empty);
    check_size(form, "form").map_err(Refused::BadOutput)?;
    let schema = Schema::compile(schema)
        .map_err(|error| Refused::BadOutput(Failure::new("bad_config", error)))?;
    match schema.violations(form) {
        violations if violations.is_empty() || decision.verdict == REJECT => Ok(()),
        violations => Err(Refused::BadForm(violations)),
    }
}
