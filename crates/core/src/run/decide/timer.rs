use std::sync::Arc;

use super::Decider;
use crate::failure::Failure;
use crate::kinds::Pure;
use crate::run::event::{Cause, Fact};
use crate::run::input::Refused;
use crate::run::{StepStatus, path};

impl Decider<'_> {
    /// The time a step waits for has come: the next attempt is to be made, or the wait was all.
    pub(super) fn timer_fired(&self, step_path: &str) -> Result<Vec<Fact>, Refused> {
        if self.state.paused.is_some() {
            return Err(Refused::Paused);
        }
        if step_path.is_empty() {
            return self.deadline_passed();
        }
        if let Some(tokens) = self.tokens() {
            return tokens.timer(step_path);
        }
        let step = self
            .state
            .steps
            .get(step_path)
            .ok_or_else(|| Refused::NoSuchStep(step_path.to_owned()))?;
        let Some(until) = step.until else {
            return Err(Refused::NotWaiting(step_path.to_owned()));
        };
        if until > self.now {
            return Err(Refused::TooEarly { path: step_path.to_owned(), until });
        }
        if step.status == StepStatus::BackingOff {
            let attempt = step.attempt + 1;
            return Ok(vec![Fact::AttemptQueued { path: step_path.to_owned(), attempt }]);
        }
        if step.task.is_some() {
            return self.task_is_late(step_path, step);
        }
        if let Some(ask) = step.ask() {
            return Ok(self.word_is_late(step_path, step, ask));
        }
        let Some(place) = self.locate(step_path) else { return Ok(self.lost(step_path)) };
        let handed_on = Pure {
            config: serde_json::Value::Null,
            input: self.state.scope_input(path::scope_of(step_path)),
            upstream: self.state.upstream(step_path),
        }
        .handed_on();
        Ok(self.succeed(step_path, place, step.attempt, step.started_at, Arc::new(handed_on), None))
    }

    /// The run has to be over, and is not.
    fn deadline_passed(&self) -> Result<Vec<Fact>, Refused> {
        let path = String::new();
        let Some(until) = self.state.deadline else { return Err(Refused::NotWaiting(path)) };
        if until > self.now {
            return Err(Refused::TooEarly { path, until });
        }
        let message = format!("the run was not over by {until}");
        self.stop_run(Cause::Failed(Failure::new("deadline_exceeded", message)), false, None)
    }
}
