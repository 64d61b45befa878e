//! Steps that workers outside take, and units of work, which are nothing else.

use serde_json::Value;

use super::Decider;
use super::start::check_size;
use crate::failure::Failure;
use crate::run::event::{Fact, Holder};
use crate::run::input::{AttemptError, Hold, Outcome, PilotAct, Refused, TaskAct};
use crate::run::token::{TokenDecider, bad};
use crate::run::{Step, StepStatus};
use crate::schema::Schema;

/// What an attempt calls the note of how far it has come.
pub(super) const CHECKPOINT: &str = "checkpoint";

impl<'a> Decider<'a> {
    /// What decides about units of work, if actors drive the run.
    pub(super) fn tokens(&self) -> Option<TokenDecider<'a>> {
        let (tokens, plan) = (self.state.tokens.as_deref()?, self.plan.tokens.as_deref()?);
        Some(TokenDecider { state: self.state, tokens, plan, now: self.now })
    }

    pub(super) fn pilot(&self, path: &str, by: &str, act: &PilotAct) -> Result<Vec<Fact>, Refused> {
        let tokens = self.tokens().ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        match act {
            PilotAct::Kill { reason } if path.is_empty() => Ok(tokens.kill(by, reason)),
            act => tokens.pilot(path, by, act),
        }
    }

    pub(super) fn task(&self, path: &str, act: &TaskAct) -> Result<Vec<Fact>, Refused> {
        if let Some(tokens) = self.tokens() {
            return tokens.task(path, act);
        }
        let step = self.state.steps.get(path);
        let step = step.ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        let path_of = || path.to_owned();
        match act {
            TaskAct::Claim { by, lease, .. } => {
                if self.state.paused.is_some() {
                    return Err(Refused::Paused);
                }
                let task = step
                    .task
                    .as_deref()
                    .filter(|task| step.status == StepStatus::Queued && task.holder.is_none());
                let task = task.ok_or_else(|| Refused::NotOffered(path_of()))?;
                let holder = Holder {
                    by: by.clone(),
                    fence: task.fence + 1,
                    since: self.now,
                    lease: *lease,
                };
                let (attempt, holder) = (step.attempt, Box::new(holder));
                Ok(vec![Fact::StepClaimed { path: path_of(), attempt, holder }])
            }
            TaskAct::Complete { hold, outcome } => {
                let holder = held(path, step, hold)?;
                let Outcome::Output(output) = outcome else {
                    return Err(bad("a step is completed with `output`".to_owned()));
                };
                check_form(step, output)?;
                self.attempt_ended(path, step.attempt, holder.since, &Ok(output.clone()))
            }
            TaskAct::Fail { hold, error } => {
                let holder = held(path, step, hold)?;
                self.attempt_ended(path, step.attempt, holder.since, &Err(error.clone()))
            }
            TaskAct::Release { hold } => {
                let holder = held(path, step, hold)?;
                let (attempt, by) = (step.attempt, holder.by.clone());
                Ok(vec![Fact::StepReleased { path: path_of(), attempt, by }])
            }
            TaskAct::Checkpoint { hold, value } => {
                held(path, step, hold)?;
                Ok(vec![Fact::StepRecorded {
                    path: path_of(),
                    attempt: step.attempt,
                    key: CHECKPOINT.to_owned(),
                    value: value.clone(),
                }])
            }
            TaskAct::Lost { fence } => {
                let holder = step.task.as_deref().and_then(|task| task.holder.as_ref());
                if holder.is_none_or(|holder| holder.fence != *fence) {
                    return Err(Refused::NotHolder(path_of()));
                }
                self.attempt_lost(path, step.attempt)
            }
        }
    }

    /// Nobody has made the attempt in the time it had.
    pub(super) fn task_is_late(&self, path: &str, step: &Step) -> Result<Vec<Fact>, Refused> {
        let holder = step.task.as_deref().and_then(|task| task.holder.as_ref());
        let since = holder.map_or(self.now, |holder| holder.since);
        let message = match holder {
            Some(holder) => format!("`{}` has not done it in the time there was", holder.by),
            None => "no worker has taken it in the time there was".to_owned(),
        };
        let error = AttemptError::new(Failure::new("timeout", message), false);
        self.attempt_ended(path, step.attempt, since, &Err(error))
    }
}

/// Refuses a form that is not filled in as it should be: whoever has it can try again.
fn check_form(step: &Step, output: &Value) -> Result<(), Refused> {
    check_size(output, "output").map_err(Refused::BadOutput)?;
    let input = step.input.as_deref().filter(|_| &*step.kind == "actor");
    let Some(form) = input.and_then(|input| input.get("form")).filter(|form| !form.is_null())
    else {
        return Ok(());
    };
    let schema = Schema::compile(form)
        .map_err(|error| Refused::BadOutput(Failure::new("bad_config", error)))?;
    match schema.violations(output) {
        violations if violations.is_empty() => Ok(()),
        violations => Err(Refused::BadForm(violations)),
    }
}

fn held<'s>(path: &str, step: &'s Step, hold: &Hold) -> Result<&'s Holder, Refused> {
    let holder = step.task.as_deref().and_then(|task| task.holder.as_ref());
    holder
        .filter(|holder| step.status == StepStatus::Running && hold.fits(holder))
        .ok_or_else(|| Refused::NotHolder(path.to_owned()))
}
