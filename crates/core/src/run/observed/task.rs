//! What is known of one task.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::digest;
use crate::duration::HumanDuration;
use crate::failure::Failure;
use crate::run::StepStatus;
use crate::run::event::{SeenEnd, TaskSeen, TaskWord};
use crate::run::evolve::reason;
use crate::time::Time;

/// Times alone say what came last: a node's attempts follow each other on one clock, and many senders
/// number only some of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TaskFacts {
    first_at: Time,
    started_at: Option<Time>,
    /// The latest beginning of an attempt, and which it was.
    begun: Option<(Time, u32)>,
    end: Option<TaskEnd>,
    /// The largest number of an attempt.
    attempt: u32,
    /// When what it is was said, and a number for that.
    about: Option<(Time, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TaskEnd {
    at: Time,
    attempt: u32,
    status: SeenEnd,
    duration: Option<HumanDuration>,
    error: Option<Failure>,
    /// A number for the output, which is in the journal.
    output: u64,
}

impl TaskEnd {
    /// What decides between two ends.
    fn rank(&self) -> (Time, u32, SeenEnd, Option<&str>, Option<HumanDuration>, u64) {
        let error = self.error.as_ref().map(|error| error.message.as_str());
        (self.at, self.attempt, self.status, error, self.duration, self.output)
    }
}

impl TaskFacts {
    pub(super) fn new(at: Time) -> TaskFacts {
        TaskFacts {
            first_at: at,
            started_at: None,
            begun: None,
            end: None,
            attempt: 0,
            about: None,
        }
    }

    pub(super) fn merge(&mut self, seen: &TaskSeen) {
        let at = seen.at;
        self.first_at = self.first_at.min(at);
        self.attempt = self.attempt.max(seen.attempt);
        match seen.what {
            TaskWord::Noted => {}
            TaskWord::Started => self.begin(at, seen.attempt),
            TaskWord::Retried => {
                let next = seen.attempt.saturating_add(1);
                self.attempt = self.attempt.max(next);
                self.begin(at, next);
            }
            TaskWord::Ended(status) => {
                let end = TaskEnd {
                    at,
                    attempt: seen.attempt,
                    status,
                    duration: seen.duration,
                    error: seen.error.clone(),
                    output: seen.output.as_ref().map_or(0, |output| digest(&output.to_string())),
                };
                if self.end.as_ref().is_none_or(|known| known.rank() < end.rank()) {
                    self.end = Some(end);
                }
            }
        }
        if let Some(about) = &seen.about {
            self.about = self.about.max(Some((about_at(about, at), digest(&about.to_string()))));
        } else if let (true, Some((known_at, _))) = (seen.restates, &mut self.about) {
            let is_bare = known_at.micros() < 0;
            *known_at = if is_bare { before_all(at) } else { at }.max(*known_at);
        }
    }

    fn begin(&mut self, at: Time, attempt: u32) {
        self.started_at = Some(self.started_at.map_or(at, |known| known.min(at)));
        self.begun = self.begun.max(Some((at, attempt)));
    }

    /// Whether this word is the one by which the task stands as it does.
    pub(super) fn ends_by(&self, other: &TaskFacts) -> bool {
        self.end == other.end
    }

    /// What is to be written of what a word says the task is: it, that it was said again, or nothing.
    pub(super) fn restated(&self, seen: &TaskSeen) -> (Option<Arc<Value>>, bool) {
        let Some(about) = &seen.about else { return (None, false) };
        match self.about {
            Some((_, known)) if known == digest(&about.to_string()) => (None, true),
            Some((known_at, _)) if known_at > about_at(about, seen.at) => (None, false),
            _ => (Some(about.clone()), false),
        }
    }

    /// Its end, unless an attempt has begun since.
    fn ended(&self) -> Option<&TaskEnd> {
        let end = self.end.as_ref()?;
        // Of what happened at the same moment the number of the attempt says what came last, if the end
        // has one.
        let is_later = |begun: (Time, u32)| {
            let attempt = if end.attempt == 0 { begun.1 } else { end.attempt };
            begun > (end.at, attempt)
        };
        (!self.begun.is_some_and(is_later)).then_some(end)
    }

    pub(super) fn is_open(&self) -> bool {
        self.ended().is_none()
    }

    /// When it has failed, if it has.
    pub(super) fn failed(&self) -> Option<(Time, Option<&Failure>)> {
        let end = self.ended().filter(|end| end.status == SeenEnd::Failed)?;
        Some((end.at, end.error.as_ref()))
    }

    pub(super) fn stands(&self, run_ended_at: Option<Time>) -> Stands {
        let attempt = self.attempt.max(1);
        let Some(end) = self.ended() else {
            let started_at = Some(self.started_at.unwrap_or(self.first_at));
            // Whoever would have said more is gone.
            let (status, reason) = match run_ended_at {
                Some(_) => (StepStatus::Cancelled, Some(reason::RUN_OVER)),
                None => (StepStatus::Running, None),
            };
            return Stands {
                status,
                reason,
                attempt,
                queued_at: self.first_at,
                started_at,
                finished_at: run_ended_at,
                error: None,
            };
        };
        let lasted = end.duration.map(|duration| {
            let micros = i64::try_from(duration.0.as_micros()).unwrap_or(i64::MAX);
            Time::from_micros(end.at.micros().saturating_sub(micros))
        });
        // Who does not say when something was has its words of one batch at one moment.
        let begun = self.started_at.into_iter().chain(lasted).min();
        let started_at = begun.unwrap_or(self.first_at);
        Stands {
            status: end.status.of_step(),
            reason: None,
            attempt,
            queued_at: self.first_at.min(started_at),
            started_at: Some(started_at),
            finished_at: Some(end.at),
            error: end.error.clone(),
        }
    }

    /// When the attempt that is under way began.
    pub(super) fn begun_at(&self) -> Time {
        self.begun.map_or(self.first_at, |(at, _)| at)
    }

    pub(super) fn first_at(&self) -> Time {
        self.first_at
    }
}

/// When what a task is was said. A word that has no more than its name, as most ends do, counts as said
/// before all times: what its beginning said stays.
fn about_at(about: &Value, at: Time) -> Time {
    let is_bare =
        about.as_object().is_some_and(|fields| fields.keys().all(|field| field == "task"));
    if is_bare { before_all(at) } else { at }
}

/// In their own order, and before 1970, where no word may be.
fn before_all(at: Time) -> Time {
    Time::from_micros(at.micros().saturating_sub(i64::MAX))
}

/// Where a task stands.
pub(super) struct Stands {
    pub(super) status: StepStatus,
    pub(super) reason: Option<&'static str>,
    pub(super) attempt: u32,
    pub(super) queued_at: Time,
    pub(super) started_at: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) error: Option<Failure>,
}
