//! Where a run stands, from what its steps wait for.

use super::reason;
use crate::run::event::Cause;
use crate::run::state::{Todo, Waits};
use crate::run::{RunState, RunStatus, StepStatus};
use crate::time::Time;

impl RunState {
    pub(super) fn leave_wait(&mut self, path: &str) {
        let Some(step) = self.steps.get(path) else { return };
        if step.ask.is_some() {
            return self.forget_ask(path);
        }
        let wait = match (step.status, step.reason.as_deref()) {
            (StepStatus::BackingOff, _) => &mut self.waits.retry,
            (StepStatus::Waiting, Some(reason::OUTCOME_UNKNOWN)) => &mut self.waits.unknown,
            (StepStatus::Waiting, Some(reason::CHILD_RUN)) => &mut self.waits.child,
            (StepStatus::Waiting, _) => &mut self.waits.timer,
            _ => return,
        };
        *wait = wait.saturating_sub(1);
    }

    pub(super) fn finish(&mut self, status: RunStatus, reason: Option<String>, at: Time) {
        self.status = status;
        self.reason = reason;
        self.finished_at = Some(at);
        self.scopes.clear();
        self.active.clear();
        self.waits = Waits::default();
        self.todo = Todo::default();
        self.undo.clear();
        self.trying.clear();
        self.undoing = 0;
        self.deadline = None;
        self.paused = None;
        self.inbox.clear();
        self.listeners.clear();
        self.signal_ids.clear();
    }

    pub(super) fn derive_status(&mut self) {
        if self.status.is_terminal() {
            return;
        }
        let stop = self.scopes.get("").and_then(|scope| scope.stopping.as_ref());
        let leaving = match stop.map(|stop| &stop.cause) {
            Some(Cause::Cancelled(_)) => Some(reason::CANCELLING),
            Some(Cause::Failed(_) | Cause::Around(_)) => Some(reason::FAILING),
            None if self.undoing > 0 => Some(reason::COMPENSATING),
            None => None,
        };
        let waits = &self.waits;
        let waiting = waits.total();
        let only_waits = waiting > 0 && waiting == self.active.len();
        let tokens = self.tokens.as_deref();
        let (status, reason) = if self.paused.is_some() {
            (RunStatus::Paused, Some(reason::PAUSED))
        } else if self.started_at.is_none() {
            let reason = match &self.created.concurrency {
                Some(_) => reason::CONCURRENCY,
                None => reason::HELD,
            };
            (RunStatus::Queued, self.awaits_admission().then_some(reason))
        } else if let Some(tokens) = tokens {
            match tokens.held {
                0 if tokens.units.is_empty() => (RunStatus::Running, None),
                0 => (RunStatus::Waiting, Some(reason::ACTOR)),
                _ => (RunStatus::Running, None),
            }
        } else if leaving.is_some() {
            // Whatever its clean-up waits for, the run is on its way out.
            (RunStatus::Running, leaving)
        } else if only_waits && self.todo == Todo::default() {
            let reason = match waits {
                Waits { unknown: 1.., .. } => reason::OUTCOME_UNKNOWN,
                Waits { retry: 1.., .. } => reason::RETRY,
                Waits { approval: 1.., .. } => reason::APPROVAL,
                Waits { signal: 1.., .. } => reason::SIGNAL,
                Waits { event: 1.., .. } => reason::EVENT,
                Waits { task: 1.., .. } => reason::WORKER,
                Waits { timer: 1.., .. } => reason::TIMER,
                _ => reason::CHILD_RUN,
            };
            (RunStatus::Waiting, Some(reason))
        } else {
            (RunStatus::Running, None)
        };
        self.status = status;
        if self.reason.as_deref() != reason {
            self.reason = reason.map(str::to_owned);
        }
    }
}
