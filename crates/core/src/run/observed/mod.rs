//! Observed runs: a program elsewhere drives them and tells what it does.
//!
//! Where such a run and its tasks stand is a function of the *set* of words received: whatever their
//! order, and however often each came, the same follows. So each fact is kept as the earliest or the
//! latest of its kind by the time its sender gives, never as the last to arrive. A word that changes
//! nothing is no event.
//!
//! Silence is judged by the server's own clock. A word that comes after all takes the judgement back.
//!
//! Not here: the shapes in which such words come in (`windlass-server`).

mod decide;
mod evolve;
mod labels;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(in crate::run) use decide::decide;
pub use decide::is_renamed;
use task::TaskFacts;

use super::event::{FlowSeen, FlowWord, Inferred, SeenEnd};
use crate::failure::Failure;
use crate::limits::LABEL_COUNT_MAX;
use crate::time::Time;

/// The kind of a step that is a task of another program.
pub const TASK: &str = "task";

/// The flow of runs of which nobody has said yet which flow they are of. A word that names one says
/// so, whenever it comes.
pub const UNKNOWN_FLOW: &str = "(unknown)";

/// What is known of a run that another program drives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// When the last word came in, by the server's clock.
    pub seen_at: Time,
    /// What is made of its silence.
    pub inferred: Option<Inferred>,
    flow: FlowFacts,
    tasks: BTreeMap<Arc<str>, TaskFacts>,
    /// The ids of log lines, the latest ones.
    line_ids: VecDeque<u64>,
}

/// What is known of the run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct FlowFacts {
    /// The earliest and the latest time that anything is said to have happened.
    first_at: Option<Time>,
    last_at: Option<Time>,
    started_at: Option<Time>,
    end: Option<FlowEnd>,
    params: Option<Stamped>,
    metadata: Option<Stamped>,
    tags: BTreeSet<String>,
    tolerates: bool,
}

/// Of several ends the one of the latest time counts, and one that says how before one that does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlowEnd {
    at: Time,
    status: Option<SeenEnd>,
    error: Option<Failure>,
    output: Option<Arc<Value>>,
}

/// A value with the time it was said at. The latest counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stamped {
    at: Time,
    value: Arc<Value>,
}

impl Stamped {
    fn keep(place: &mut Option<Stamped>, at: Time, value: Option<&Arc<Value>>) {
        let Some(value) = value else { return };
        let is_later = place
            .as_ref()
            .is_none_or(|known| (known.at, known.value.to_string()) < (at, value.to_string()));
        if is_later {
            *place = Some(Stamped { at, value: value.clone() });
        }
    }
}

impl FlowEnd {
    /// What decides between two ends. The texts only tell apart what is else the same.
    fn rank(&self) -> (bool, Time, Option<SeenEnd>, Option<&str>, String) {
        let text = self.output.as_ref().map(ToString::to_string).unwrap_or_default();
        let error = self.error.as_ref().map(|error| error.message.as_str());
        (self.status.is_some(), self.at, self.status, error, text)
    }
}

impl FlowFacts {
    /// Something is said to have happened. A word that says no more than that somebody is there, such as
    /// a log line, moves the end in whole minutes: a thousand lines are not a thousand events.
    fn spans(&mut self, at: Time, is_bare: bool) {
        const MINUTE: i64 = 60_000_000;
        let end = match is_bare {
            true => Time::from_micros(at.micros().div_euclid(MINUTE) * MINUTE),
            false => at,
        };
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        self.last_at = Some(self.last_at.map_or(end, |last| last.max(end)));
    }

    /// Whether that would move its beginning or its end.
    fn is_moved_by(&self, at: Time, is_bare: bool) -> bool {
        let mut moved =
            FlowFacts { first_at: self.first_at, last_at: self.last_at, ..FlowFacts::default() };
        moved.spans(at, is_bare);
        (moved.first_at, moved.last_at) != (self.first_at, self.last_at)
    }

    fn merge(&mut self, seen: &FlowSeen) {
        self.spans(seen.at, seen.is_bare());
        match seen.what {
            FlowWord::Noted => {}
            FlowWord::Started => {
                self.started_at = Some(self.started_at.map_or(seen.at, |known| known.min(seen.at)));
            }
            FlowWord::Ended => {
                let FlowSeen { at, status, ref error, ref output, .. } = *seen;
                let end = FlowEnd { at, status, error: error.clone(), output: output.clone() };
                if self.end.as_ref().is_none_or(|known| known.rank() < end.rank()) {
                    self.end = Some(end);
                }
            }
        }
        Stamped::keep(&mut self.params, seen.at, seen.params.as_ref());
        Stamped::keep(&mut self.metadata, seen.at, seen.metadata.as_ref());
        // The first ones in their own order, so that it is the same ones however they come.
        self.tags.extend(seen.tags.iter().cloned());
        while self.tags.len() > LABEL_COUNT_MAX {
            self.tags.pop_last();
        }
        self.tolerates |= seen.tolerates;
    }
}

impl Observed {
    /// What the run was called with, if that was said.
    pub fn params(&self) -> Option<&Arc<Value>> {
        self.flow.params.as_ref().map(|params| &params.value)
    }

    /// More about the run.
    pub fn metadata(&self) -> Option<&Arc<Value>> {
        self.flow.metadata.as_ref().map(|metadata| &metadata.value)
    }

    /// Words to find it by.
    pub fn tags(&self) -> &BTreeSet<String> {
        &self.flow.tags
    }

    /// When the attempt of a task that is under way began.
    pub(in crate::run) fn begun_at(&self, path: &str) -> Option<Time> {
        self.tasks.get(path).map(TaskFacts::begun_at)
    }

    /// Whether a log line of this id is there, as far as that is still known.
    pub fn knows_line(&self, id: u64) -> bool {
        self.line_ids.contains(&id)
    }

    /// When it was over, by what was said or by its silence.
    fn ended_at(&self) -> Option<Time> {
        match &self.flow.end {
            Some(end) => Some(end.at),
            None => self.inferred.filter(|inferred| inferred.is_end()).and(self.flow.last_at),
        }
    }

    /// How long nobody has said anything.
    fn silence(&self, now: Time) -> Duration {
        now.since(self.seen_at)
    }
}
