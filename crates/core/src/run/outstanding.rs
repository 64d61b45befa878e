use super::event::Fact;
use super::{RunState, StepStatus};
use crate::time::Time;

/// An order that follows from what has happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Make an attempt.
    MakeAttempt {
        /// The step.
        path: String,
        /// Which attempt.
        attempt: u32,
    },
    /// Stop whatever is being done for a step.
    StopAttempt {
        /// The step.
        path: String,
    },
    /// Come back at a time.
    SetTimer {
        /// The step; empty for the run's deadline.
        path: String,
        /// When.
        due: Time,
    },
}

impl Effect {
    /// The order that follows from an event as it happens, if one does.
    pub fn of(fact: &Fact) -> Option<Effect> {
        match fact {
            // Workers take them by themselves.
            Fact::StepQueued { task: Some(_), .. } => None,
            Fact::StepQueued { path, .. } => {
                Some(Effect::MakeAttempt { path: path.clone(), attempt: 1 })
            }
            Fact::AttemptQueued { path, attempt } => {
                Some(Effect::MakeAttempt { path: path.clone(), attempt: *attempt })
            }
            Fact::AttemptFailed { path, retry_at, .. }
            | Fact::AttemptInterrupted { path, retry_at, .. } => {
                Some(Effect::SetTimer { path: path.clone(), due: *retry_at })
            }
            Fact::StepAwaiting { path, until: Some(until), .. }
            | Fact::Reminded { path, until: Some(until) }
            | Fact::StepWaiting { path, until, .. } => {
                Some(Effect::SetTimer { path: path.clone(), due: *until })
            }
            Fact::RunStarted { deadline: Some(due), .. }
            | Fact::Watched { until: due }
            | Fact::Inferred { until: Some(due), .. } => Some(Effect::of_deadline(*due)),
            // What is being done for it is done for nothing.
            Fact::StepMarked { path, .. } | Fact::StepCancelled { path, .. } => {
                Some(Effect::StopAttempt { path: path.clone() })
            }
            _ => None,
        }
    }
}

impl Effect {
    /// The timer of a run's deadline belongs to no step.
    fn of_deadline(due: Time) -> Effect {
        Effect::SetTimer { path: String::new(), due }
    }
}

impl RunState {
    /// Orders that are still owed: attempts that have not ended, timers that have not fired. Costs
    /// as much as there are of them.
    pub fn outstanding(&self) -> impl Iterator<Item = Effect> {
        let deadline = self.deadline.map(Effect::of_deadline);
        let units = self.tokens.iter().flat_map(|tokens| tokens.times());
        let units = units.map(|(path, due)| Effect::SetTimer { path: path.to_owned(), due });
        deadline.into_iter().chain(units).chain(self.active.iter().filter_map(|path| {
            // Nobody here does anything for what another program drives.
            let step = self.steps.get(path).filter(|_| self.observed.is_none())?;
            let path = path.to_string();
            match step.status {
                StepStatus::Queued | StepStatus::Running if step.task.is_none() => {
                    Some(Effect::MakeAttempt { path, attempt: step.attempt })
                }
                _ => step.until.map(|due| Effect::SetTimer { path, due }),
            }
        }))
    }
}
