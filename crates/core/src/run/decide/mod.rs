//! Thinking: which events follow from an input. One file for each thing a run decides.

mod advance;
mod attempt;
mod block;
mod create;
mod edges;
mod end;
mod finish;
mod r#loop;
mod map;
mod mark;
mod start;
mod stop;
mod timer;
mod r#try;
mod undo;

pub use create::{CreateRun, create};

use super::RunState;
use super::event::{Cause, Event, Fact};
use super::input::{Input, Refused, What};
use crate::definition::{Graph, Node, Plan};
use crate::time::Time;

impl RunState {
    /// The events that follow from an input. An empty answer to [`What::Advance`] means that
    /// nothing follows from the state alone.
    ///
    /// # Errors
    ///
    /// Why the input changes nothing: it came too late, twice, or does not make sense here.
    pub fn decide(&self, plan: &Plan, input: &Input) -> Result<Vec<Event>, Refused> {
        if self.status.is_terminal() {
            return match input.what {
                What::Advance => Ok(Vec::new()),
                _ => Err(Refused::Finished(self.status)),
            };
        }
        let decider = Decider { state: self, plan, now: input.now, dice: input.dice };
        let facts = match &input.what {
            What::Advance => decider.advance(),
            What::AttemptStarted { path, attempt } => decider.attempt_started(path, *attempt)?,
            What::AttemptEnded { path, attempt, started_at, result } => {
                decider.attempt_ended(path, *attempt, *started_at, result)?
            }
            What::AttemptLost { path, attempt } => decider.attempt_lost(path, *attempt)?,
            What::TimerFired { path } => decider.timer_fired(path)?,
            What::Mark { path, mark, by, reason } => decider.mark(path, mark, by, reason)?,
            What::Cancel { reason } => decider.stop_run(Cause::Cancelled(reason.clone()), false)?,
            What::Terminate { reason } => {
                decider.stop_run(Cause::Cancelled(reason.clone()), true)?
            }
            What::Abort { error } => decider.stop_run(Cause::Failed(error.clone()), false)?,
        };
        Ok(facts.into_iter().map(|fact| Event { at: input.now, fact }).collect())
    }
}

/// All that a decision may look at.
struct Decider<'a> {
    state: &'a RunState,
    plan: &'a Plan,
    now: Time,
    dice: f64,
}

impl<'a> Decider<'a> {
    /// The node a step is a life of, and its graph. A journal names only nodes of its own
    /// definition; if one does not, the plan is not the run's, and nothing can be decided.
    fn locate(&self, path: &str) -> Option<(&'a Graph, &'a Node)> {
        self.plan.locate(path)
    }

    fn graph_of(&self, scope: &str) -> Option<&'a Graph> {
        self.plan.graph_of(scope)
    }

    fn stop_run(&self, cause: Cause, force: bool) -> Result<Vec<Fact>, Refused> {
        let root = self.state.scopes.get("");
        let Some(root) = root else {
            // Nothing has begun, so there is nothing to tell.
            return Ok(vec![match cause {
                Cause::Failed(error) => Fact::RunFailed { error },
                Cause::Cancelled(reason) => Fact::RunCancelled { reason },
                Cause::Around(_) => return Err(Refused::AlreadyStopping),
            }]);
        };
        if let Some(stop) = &root.stopping {
            let is_more = force && !stop.force;
            let is_asked_for = matches!(stop.cause, Cause::Cancelled(_));
            if !is_more && (is_asked_for || matches!(cause, Cause::Failed(_))) {
                return Err(Refused::AlreadyStopping);
            }
        }
        Ok(vec![Fact::Stopping { at: String::new(), cause, keep: Vec::new(), force }])
    }
}
