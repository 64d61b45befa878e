//! The thread around a shard.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use windlass_store::{Conflict, RunWrite, StoreError};

use super::{Shared, Ticket, ToCommitter, ToKeeper, ToReader, ToShard};
use crate::dispatch::Dispatcher;
use crate::shard::{Input, Output, Shard};

/// What became of a batch.
type CommitResult = Result<Vec<(usize, Conflict)>, StoreError>;

/// Runs of a batch that a shard commits itself if nobody else is writing. It saves a lone run two
/// changes of thread a commit; a larger batch is worth more if the shard can go on meanwhile.
const OWN_COMMIT_MAX: usize = 4;
/// Inputs a shard takes before it looks at the rest.
const INPUTS_PER_TURN: usize = 4_096;
/// How long a shard that stops waits for its last batch.
const WIND_UP_TIME_MAX: Duration = Duration::from_secs(3);

pub(super) struct ShardThread {
    pub(super) index: usize,
    pub(super) shard: Shard<Ticket>,
    pub(super) shared: Arc<Shared>,
    pub(super) dispatcher: Arc<Dispatcher>,
}

impl ShardThread {
    pub(super) fn run(mut self, ear: &Receiver<ToShard>) {
        let mut out = Vec::new();
        let mut give_up_at = None;
        while give_up_at.is_none_or(|at| at > self.shared.clock.now()) {
            let first = match self.wait(ear) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = self.shared.clock.now();
            let began = Instant::now();
            for message in first.into_iter().chain(ear.try_iter().take(INPUTS_PER_TURN)) {
                match message {
                    ToShard::Input(input) => self.shard.step(now, input, &mut out),
                    ToShard::WindUp => self.shard.wind_up(),
                    ToShard::Stop => {
                        self.shard.wind_up();
                        give_up_at.get_or_insert_with(|| now.plus(WIND_UP_TIME_MAX));
                    }
                }
            }
            self.shard.turn(now, &mut out);
            self.show(began);
            self.perform_all(&mut out, ear);
            if give_up_at.is_some() && self.shard.is_settled() {
                return;
            }
        }
    }

    fn wait(&self, ear: &Receiver<ToShard>) -> Result<Option<ToShard>, RecvTimeoutError> {
        if self.shard.has_work() {
            return Ok(None);
        }
        if self.shard.is_winding_up() {
            return ear.recv_timeout(Duration::from_millis(20)).map(Some);
        }
        match self.shard.next_deadline() {
            None => ear.recv().map(Some).map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let wait = due.since(self.shared.clock.now());
                ear.recv_timeout(wait).map(Some)
            }
        }
    }

    /// Shows how the shard stands. Before anybody is answered, so that who then asks for the health
    /// finds it as it is.
    fn show(&self, began: Instant) {
        let gauges = &self.shared.gauges[self.index];
        gauges.is_in_trouble.store(self.shard.is_in_trouble(), Ordering::Relaxed);
        gauges.live_count.store(self.shard.live_count(), Ordering::Relaxed);
        gauges.busy_nanos.fetch_add(nanos(began.elapsed()), Ordering::Relaxed);
        gauges.serialised_nanos.store(nanos(self.shard.serialised()), Ordering::Relaxed);
    }

    /// Does what the shard wants done. A batch that is committed here comes last: what the one
    /// before has released must not wait for it.
    fn perform_all(&mut self, out: &mut Vec<Output<Ticket>>, ear: &Receiver<ToShard>) {
        while !out.is_empty() {
            let mut own = None;
            for output in std::mem::take(out) {
                match output {
                    Output::Commit(batch) => own = self.hand_over(batch, ear),
                    output => self.perform(output),
                }
            }
            if let Some(batch) = own
                && let Some(result) = self.commit(batch)
            {
                let (now, began) = (self.shared.clock.now(), Instant::now());
                self.shard.step(now, Input::Committed(result), out);
                self.shard.turn(now, out);
                self.show(began);
            }
        }
    }

    /// Gives a batch to the committer, so that it is written while the shard goes on. A small one
    /// comes back if there is nothing to go on with: then it is better committed here.
    fn hand_over(&self, batch: Vec<RunWrite>, ear: &Receiver<ToShard>) -> Option<Vec<RunWrite>> {
        if batch.len() <= OWN_COMMIT_MAX && ear.is_empty() && !self.shard.has_work() {
            return Some(batch);
        }
        let _ = self.shared.committer.send(ToCommitter::Batch(self.index, batch));
        None
    }

    /// Commits a batch here, or hands it over after all if somebody else is writing.
    fn commit(&self, batch: Vec<RunWrite>) -> Option<CommitResult> {
        let shared = &self.shared;
        let Some(_writing) = shared.writing.try_lock() else {
            let _ = shared.committer.send(ToCommitter::Batch(self.index, batch));
            return None;
        };
        let result = shared.store.commit(shared.epoch, &batch);
        if let Err(error) = &result {
            tracing::error!(%error, run.count = batch.len(), "a commit failed");
        }
        shared.own_commits.fetch_add(1, Ordering::Relaxed);
        if !shared.is_untidy.swap(true, Ordering::Relaxed) {
            let _ = shared.committer.send(ToCommitter::Untidy);
        }
        Some(result)
    }

    fn perform(&self, output: Output<Ticket>) {
        let shared = &self.shared;
        match output {
            Output::Load { run_id } => {
                let _ = shared.readers.send(ToReader::Load(self.index, run_id));
            }
            Output::Commit(_) => unreachable!("commits are told apart before"),
            Output::Start(order) => self.dispatcher.start(order),
            Output::Stop { run_id, path } => self.dispatcher.stop(run_id, &path),
            Output::Timer(timer) => {
                let _ = shared.keeper.send(ToKeeper::Timer(timer));
            }
            Output::Tasks(changes) => {
                for (run_id, path, attempt) in shared.desk.apply(changes) {
                    shared.live.ended(run_id, &path, attempt);
                }
            }
            Output::Ask(ask) => shared.at_the_gate(|gate| gate.ask(&ask)),
            Output::Over { run_id } => shared.at_the_gate(|gate| gate.over(run_id)),
            Output::Send(message) => shared.hand_over(message),
            Output::Publish(published) => {
                (shared.observer)(&published);
                self.dispatcher.published(&published);
                shared.feed.publish(published);
            }
            // Whoever asked may have gone.
            Output::Answer(ticket, answer) => drop(ticket.send(answer)),
            Output::Fenced => {
                tracing::error!("another server has taken the store over; this one writes no more");
                shared.is_fenced.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
