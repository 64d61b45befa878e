//! What a change says to whoever counts: attempts that are over, waits, and calls to models.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::Time;
use windlass_core::run::{Event, Fact, Step};
use windlass_store::{Taken, UsageRow};

/// What is counted of a change. It holds no ids, so what is made of it stays small.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Attempts that are over.
    pub attempts: Vec<AttemptMeasured>,
    /// How long steps have waited from their turn to their first attempt.
    pub waits: Vec<Duration>,
    /// What models have taken, by model.
    pub taken: Vec<(String, Taken)>,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
pub struct AttemptMeasured {
    /// The kind of the node.
    pub kind: Arc<str>,
    /// Whether it has succeeded.
    pub has_succeeded: bool,
    /// How long it took. Nothing, if it was done as soon as its turn came.
    pub took: Duration,
}

impl Measured {
    /// Counts an event. `began_before` is when the step's first attempt began, before the event.
    pub(super) fn note(&mut self, event: &Event, step: &Step, began_before: Option<Time>) {
        let (has_succeeded, started_at) = match &event.fact {
            Fact::StepSucceeded { started_at, cached: None, reused: false, .. } => {
                (true, started_at.unwrap_or(event.at))
            }
            Fact::StepFailed { started_at, reused: false, .. } => {
                (false, started_at.unwrap_or(event.at))
            }
            Fact::AttemptFailed { started_at, .. } => (false, *started_at),
            // What other programs do waits for nobody here.
            Fact::TaskSeen { .. } => return,
            _ => return self.note_wait(step, began_before),
        };
        self.note_wait(step, began_before);
        let took = event.at.since(started_at);
        self.attempts.push(AttemptMeasured { kind: step.kind.clone(), has_succeeded, took });
    }

    fn note_wait(&mut self, step: &Step, began_before: Option<Time>) {
        if began_before.is_none()
            && let (Some(queued_at), Some(started_at)) = (step.queued_at, step.started_at)
        {
            self.waits.push(started_at.since(queued_at));
        }
    }

    pub(super) fn note_usage(&mut self, rows: &[UsageRow]) {
        self.taken.extend(rows.iter().map(|row| (row.model.clone(), row.taken)));
    }
}
