//! Thinking: which events follow from an input. One file for each thing a run decides.

mod admit;
mod advance;
mod attempt;
mod block;
mod child;
mod create;
mod edges;
mod end;
mod finish;
mod jump;
mod r#loop;
mod map;
mod mark;
mod pause;
mod reuse;
mod start;
mod stop;
mod task;
mod timer;
mod r#try;
mod undo;
mod word;

pub use create::{CreateRun, create};

use super::event::{Cause, Event};
use super::input::{Input, Refused, What};
use super::{RunState, observed};
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
        if let Some(observed) = &self.observed {
            return observed::decide(self, observed, input);
        }
        if self.status.is_terminal() {
            return match input.what {
                What::Advance => Ok(Vec::new()),
                _ => Err(Refused::Finished(self.status)),
            };
        }
        let decider = Decider { state: self, plan, now: input.now, dice: input.dice };
        let facts = match &input.what {
            What::Advance => decider.advance(),
            What::Task { path, act } => decider.task(path, act)?,
            What::Seen(_) => return Err(Refused::NotWatched),
            What::Pilot { path, by, act } => decider.pilot(path, by, act)?,
            What::AttemptStarted { path, attempt } => decider.attempt_started(path, *attempt)?,
            What::AttemptEnded { path, attempt, started_at, result } => {
                decider.attempt_ended(path, *attempt, *started_at, result)?
            }
            What::AttemptLost { path, attempt } => decider.attempt_lost(path, *attempt)?,
            What::AttemptCached { path, attempt, run_id, output } => {
                decider.attempt_cached(path, *attempt, *run_id, output)?
            }
            What::AttemptAsks { path, attempt, started_at, key, ask } => {
                decider.attempt_asks(path, (*attempt, *started_at), key, ask)?
            }
            What::AttemptRecorded { path, attempt, key, value } => {
                decider.attempt_recorded(path, *attempt, key, value)?
            }
            What::Vote { path, vote } => decider.vote(path, vote)?,
            What::Signal { name, payload, by, id } => {
                decider.signal(name, payload, by, id.as_deref())?
            }
            What::Event { path, name, data, by } => decider.event(path, name, data, by)?,
            What::TimerFired { path } => decider.timer_fired(path)?,
            What::Mark { path, mark, by, reason } => decider.mark(path, mark, by, reason)?,
            What::Admit => decider.admit()?,
            What::ChildStarted { path, child } => decider.child_started(path, *child)?,
            What::ChildEnded { path, child, result } => {
                decider.child_ended(path, *child, result)?
            }
            What::Pause { by, reason } => decider.pause(by, reason)?,
            What::Resume { by, reason } => decider.resume(by, reason)?,
            What::Cancel { by, reason } => {
                let cause = Cause::Cancelled(reason.clone());
                decider.stop_by_hand(cause, false, by)?
            }
            What::Terminate { by, reason } => {
                let cause = Cause::Cancelled(reason.clone());
                decider.stop_by_hand(cause, true, by)?
            }
            What::Abort { error } => decider.stop_run(Cause::Failed(error.clone()), false, None)?,
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
}
