//! A run in memory.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::limits::{BYTES_PER_TURN, EVENTS_PER_TURN, RUN_BYTES_MAX};
use windlass_core::run::{Effect, Input, Refused, RunState, RunStatus, What};
use windlass_core::{Failure, Time};

use super::pending::Pending;
use crate::usage::Call;

/// Bytes of values that may have been written before those in memory are counted again.
const COUNT_AGAIN: u64 = 64 * 1024 * 1024;
/// Bytes of values that may wait for a commit before the run goes on, about.
const PENDING_BYTES_MAX: usize = 2 * BYTES_PER_TURN;

/// A run in memory. It belongs to one shard, so nobody else touches it.
#[derive(Debug)]
pub(super) struct LiveRun<T> {
    pub(super) state: RunState,
    pub(super) plan: Arc<Plan>,
    pub(super) project: Arc<str>,
    /// The number of its last sealed event.
    pub(super) last_seq: u64,
    /// The number of its last log line.
    pub(super) last_log_seq: u64,
    pub(super) has_snapshot: bool,
    /// Bytes of its values: of those that were in it when it came to memory, and all since.
    pub(super) bytes: u64,
    /// Whether it has too many of them, and is on its way out.
    is_given_up: bool,
    /// What its row says; `None` if the row has to be written in any case.
    pub(super) row: Option<RowSays>,
    /// Where the run stood when it was last sealed, and of which workflow it was.
    pub(super) sealed_as: (RunStatus, Uuid),
    /// Since when the row lags behind in what it may.
    pub(super) row_lags_since: Option<Time>,
    pub(super) pending: Pending<T>,
    /// Whether there are changes to seal; then the run is in the shard's list of such runs.
    pub(super) is_dirty: bool,
    /// The number of the last batch that has something of it.
    pub(super) sealed_in: u64,
    /// Who waits for its end.
    pub(super) until_over: Vec<T>,
    /// Attempts that were released while the run or everything stood still.
    pub(super) withheld: Vec<Effect>,
    /// Requests with the key of its creation, which is not sealed yet.
    pub(super) joined: Vec<T>,
}

/// What a run's row says that may never lag behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowSays {
    status: RunStatus,
    reason: Option<String>,
    /// How many steps there are. Those without a row of their own are counted by it.
    total: u32,
}

impl RowSays {
    pub(super) fn of(state: &RunState) -> RowSays {
        RowSays { status: state.status, reason: state.reason.clone(), total: state.counts.total() }
    }
}

/// The time and the chance of one decision.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Time,
    pub(super) dice: f64,
}

impl<T> LiveRun<T> {
    pub(super) fn new(
        state: RunState,
        plan: Arc<Plan>,
        project: Arc<str>,
        (last_seq, last_log_seq): (u64, u64),
    ) -> LiveRun<T> {
        LiveRun {
            sealed_as: (state.status, state.created.workflow_id),
            state,
            plan,
            project,
            last_seq,
            last_log_seq,
            has_snapshot: false,
            bytes: 0,
            is_given_up: false,
            row: None,
            row_lags_since: None,
            pending: Pending::default(),
            is_dirty: false,
            sealed_in: 0,
            until_over: Vec::new(),
            withheld: Vec::new(),
            joined: Vec::new(),
        }
    }

    /// Decides one input and folds what follows from it. Answers how many events that were.
    ///
    /// # Errors
    ///
    /// The core's refusal. Nothing has changed then.
    pub(super) fn take(&mut self, moment: Moment, what: What) -> Result<usize, Refused> {
        let input = Input { now: moment.now, dice: moment.dice, what };
        let events = self.state.decide(&self.plan, &input)?;
        let count = events.len();
        for event in events {
            self.pending.record(&self.project, &mut self.state, event);
        }
        Ok(count)
    }

    /// Takes a note of an attempt, once, and what the call to a model took that it is about.
    ///
    /// # Errors
    ///
    /// The core's refusal. Nothing has changed then.
    pub(super) fn record(
        &mut self,
        moment: Moment,
        (path, attempt): (String, u32),
        (key, value): (String, Arc<Value>),
        call: Option<Box<Call>>,
    ) -> Result<usize, Refused> {
        let recorded = What::AttemptRecorded { path: path.clone(), attempt, key, value };
        let count = self.take(moment, recorded)?;
        if let Some(call) = call.filter(|_| count > 0) {
            self.pending.add_usage(&path, *call);
        }
        Ok(count)
    }

    /// Takes the steps that follow from the state alone. Answers whether it came to an end; else the
    /// run has had its turn, and others come first.
    pub(super) fn advance(&mut self, moment: Moment, history_max: u64) -> bool {
        self.mind_bytes(moment);
        // What others do with a run adds few events at a time, so its turns never fill.
        self.mind_history(moment, history_max);
        if self.pending.bytes() > PENDING_BYTES_MAX {
            // What is under way to the disk comes first.
            return false;
        }
        let at_most = self.pending.event_count() + EVENTS_PER_TURN;
        let bytes_at_most = self.pending.bytes() + BYTES_PER_TURN;
        while self.pending.event_count() < at_most && self.pending.bytes() < bytes_at_most {
            match self.take(moment, What::Advance) {
                Ok(0) => return true,
                Ok(_) => {}
                // `Advance` is never refused.
                Err(_) => return true,
            }
        }
        self.mind_history(moment, history_max);
        false
    }

    /// Gives a run up that has too many values in memory. Counting looks at each of them, so it is
    /// done again only when there may be many more.
    fn mind_bytes(&mut self, moment: Moment) {
        let pending = u64::try_from(self.pending.bytes()).unwrap_or(u64::MAX);
        let at_most = self.bytes.saturating_add(pending);
        if at_most <= RUN_BYTES_MAX + COUNT_AGAIN || self.is_given_up {
            return;
        }
        // Much of what was written may have been let go.
        self.bytes = self.state.bytes();
        if self.bytes > RUN_BYTES_MAX {
            self.is_given_up = true;
            let message = format!("the run has values of more than {RUN_BYTES_MAX} bytes");
            self.give_up(moment, message);
        }
    }

    fn mind_history(&mut self, moment: Moment, history_max: u64) {
        let length = self.last_seq + u64::try_from(self.pending.event_count()).unwrap_or(u64::MAX);
        if length > history_max {
            self.give_up(moment, format!("the run has more than {history_max} events"));
        }
    }

    fn give_up(&mut self, moment: Moment, message: String) {
        let error = Failure::new("history_limit", message);
        // A run that is stopping already is on its way out.
        let _ = self.take(moment, What::Abort { error });
    }
}
