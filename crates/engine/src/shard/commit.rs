//! Batches: sealing them, and releasing what waited for them.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::Effect;
use windlass_store::{
    Conflict, IdempotencyKey, Message, MessageKey, RunWrite, StoreError, TimerRow,
};

use super::Shard;
use super::live::RowSays;
use super::messages::{Answer, Ask, Output, Published, TaskChange};
use super::pending::Sealing;
use crate::view::RunView;

/// How long the row of a run may lag behind in how many steps stand where.
pub(super) const ROW_LAG_MAX: Duration = Duration::from_millis(500);
/// Bytes of the values of a run past which it leaves memory without a snapshot, which is one row: a
/// database has a limit for those.
const SNAPSHOT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of events in one batch, about.
const BATCH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The batch under way: for each of its runs, what is released when it is durable.
#[derive(Debug)]
pub(super) struct Batch<T> {
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
pub(super) struct Entry<T> {
    run_id: Uuid,
    effects: Vec<Effect>,
    replies: Vec<T>,
    told: Vec<(T, Answer)>,
    tasks: Vec<TaskChange>,
    /// Requests with the same key that came while the creation was under way.
    pub(super) joined: Vec<T>,
    /// The run as it will stand, for the replies.
    view: Option<Box<RunView>>,
    published: Option<Published>,
    messages: Vec<Message>,
    ask: Option<Ask>,
    /// Whether a run is over that had to be admitted.
    frees: bool,
    /// Whether this batch creates the run, and under which key.
    creates: Option<Option<IdempotencyKey>>,
    project: Arc<str>,
    leaves_memory: bool,
}

impl<T> Batch<T> {
    pub(super) fn entry(&mut self, run_id: Uuid) -> Option<&mut Entry<T>> {
        self.entries.iter_mut().find(|entry| entry.run_id == run_id)
    }
}

/// Bytes of the events in a write.
fn bytes_of(write: &RunWrite) -> u64 {
    let bytes: usize = write.chunks.iter().map(|chunk| chunk.body.len()).sum();
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl<T> Shard<T> {
    /// Seals what has gathered, unless a batch is under way or it can wait for company.
    pub(super) fn flush(&mut self, now: Time, out: &mut Vec<Output<T>>) {
        let has_lingered =
            self.lingering_since.is_some_and(|since| now.since(since) >= self.config.linger);
        let is_time = self.is_urgent || has_lingered;
        let is_free = self.batch.is_none() && self.trouble.until.is_none();
        if !is_free || !is_time || self.dirty.is_empty() && self.waste.is_empty() {
            return;
        }
        let count = self.dirty.len().min(self.config.batch_run_count_max);
        let mut writes = Vec::with_capacity(count);
        let mut entries = Vec::with_capacity(count);
        let mut bytes = 0;
        let began = (self.config.stopwatch)();
        while writes.len() < count && bytes < BATCH_BYTES_MAX {
            let Some(run_id) = self.dirty.pop_front() else { break };
            if let Some((write, entry)) = self.seal(now, run_id) {
                bytes += bytes_of(&write);
                writes.push(write);
                entries.push(entry);
            }
        }
        for key in self.waste.drain(..) {
            let (write, entry) = throw_away(key);
            writes.push(write);
            entries.push(entry);
        }
        self.serialised += (self.config.stopwatch)().saturating_sub(began);
        if self.dirty.is_empty() {
            self.is_urgent = false;
            self.lingering_since = None;
        }
        if !writes.is_empty() {
            self.batch_number += 1;
            self.batch = Some(Batch { entries });
            out.push(Output::Commit(writes));
        }
    }

    fn seal(&mut self, now: Time, run_id: Uuid) -> Option<(RunWrite, Entry<T>)> {
        let leaves_memory = self.may_leave(now, self.live.get(&run_id)?);
        let run = self.live.get_mut(&run_id)?;
        run.mind_listeners(now, &self.config.listeners);
        let row = Some(RowSays::of(&run.state));
        let lags_too_long = run.row_lags_since.is_some_and(|since| now.since(since) >= ROW_LAG_MAX);
        // The row of a run that is over is believed without a look at its journal.
        let is_over = run.state.status.is_terminal();
        let writes_row = run.row != row || lags_too_long || leaves_memory || is_over;
        let sealing = Sealing {
            project: &run.project,
            now,
            state: &run.state,
            last_seq: run.last_seq,
            has_snapshot: run.has_snapshot,
            writes_row,
            takes_snapshot: leaves_memory
                && (run.bytes <= SNAPSHOT_BYTES_MAX || run.state.bytes() <= SNAPSHOT_BYTES_MAX),
        };
        let sealed = std::mem::take(&mut run.pending).seal(&sealing);
        let replies = sealed.replies;
        let entry = Entry {
            run_id,
            effects: sealed.effects,
            view: (!replies.is_empty()).then(|| Box::new(RunView::of(&run.state))),
            replies,
            told: sealed.told,
            tasks: sealed.tasks,
            joined: std::mem::take(&mut run.joined),
            published: Some(sealed.published),
            messages: sealed.write.messages.clone(),
            ask: sealed.write.create.as_ref().and_then(|_| Ask::of(&run.state)),
            frees: run.state.created.held && run.state.status.is_terminal(),
            creates: sealed.write.create.as_ref().map(|new| new.key.clone()),
            project: run.project.clone(),
            leaves_memory,
        };
        run.last_seq = sealed.last_seq;
        run.bytes = run.bytes.saturating_add(bytes_of(&sealed.write));
        run.row = row;
        if writes_row {
            run.row_lags_since = None;
        } else if run.row_lags_since.is_none() {
            run.row_lags_since = Some(now);
            self.lagging.push_back((now, run_id));
        }
        run.has_snapshot |= sealed.write.snapshot.is_some();
        run.is_dirty = false;
        run.sealed_in = self.batch_number + 1;
        Some((sealed.write, entry))
    }

    /// Rows that have lagged long enough are written, even if nothing else is.
    pub(super) fn mind_lagging_rows(&mut self, now: Time) {
        while let Some((since, run_id)) = self.lagging.front().copied() {
            if now.since(since) < ROW_LAG_MAX {
                return;
            }
            self.lagging.pop_front();
            let still_lags =
                self.live.get(&run_id).is_some_and(|run| run.row_lags_since == Some(since));
            if still_lags {
                self.touch(now, run_id, true);
            }
        }
    }

    pub(super) fn committed(
        &mut self,
        now: Time,
        result: Result<Vec<(usize, Conflict)>, StoreError>,
        out: &mut Vec<Output<T>>,
    ) {
        let Some(batch) = self.batch.take() else { return };
        self.durable_number = self.batch_number;
        let mut conflicts = match result {
            Ok(conflicts) => conflicts.into_iter().peekable(),
            Err(error) => return self.failed(now, batch, &error, out),
        };
        if std::mem::take(&mut self.trouble).until.is_some() {
            self.request_the_rest(out);
        }
        // The next batch is handed over before anything is released, so that the disk is not idle
        // meanwhile.
        self.flush(now, out);
        for (place, entry) in batch.entries.into_iter().enumerate() {
            self.forget_key(&entry);
            match conflicts.next_if(|(at, _)| *at == place) {
                Some((_, conflict)) => self.conflicted(entry, conflict, out),
                None => self.release(now, entry, out),
            }
        }
    }

    /// A batch is durable: what waited for it may leave.
    fn release(&mut self, now: Time, entry: Entry<T>, out: &mut Vec<Output<T>>) {
        let Entry { run_id, effects, replies, joined, view, published, messages, ask, .. } = entry;
        // Before anybody is answered: who was handed something finds it in their hands.
        if !entry.tasks.is_empty() {
            out.push(Output::Tasks(entry.tasks));
        }
        out.extend(entry.told.into_iter().map(|(ticket, answer)| Output::Answer(ticket, answer)));
        if let Some(view) = view {
            for ticket in replies {
                out.push(Output::Answer(ticket, Answer::Run(view.clone())));
            }
        }
        if let Some(Some(key)) = entry.creates {
            for ticket in joined {
                let request_hash = key.request_hash.clone();
                out.push(Output::Answer(ticket, Answer::Existing { run_id, request_hash }));
            }
        }
        out.extend(published.map(Output::Publish));
        out.extend(messages.into_iter().map(Output::Send));
        out.extend(ask.map(Output::Ask));
        if entry.frees {
            out.push(Output::Over { run_id });
        }
        for effect in effects {
            match effect {
                Effect::MakeAttempt { path, attempt } => {
                    self.release_attempt(now, run_id, path, attempt, out);
                }
                Effect::StopAttempt { path } => out.push(Output::Stop { run_id, path }),
                Effect::SetTimer { path, due } => {
                    out.push(Output::Timer(TimerRow { due_at: due, run_id, path }));
                }
            }
        }
        self.settle(run_id, entry.leaves_memory, out);
    }

    /// Answers who waits for the end of a run that is over, and lets go of runs that are done with.
    fn settle(&mut self, run_id: Uuid, leaves_memory: bool, out: &mut Vec<Output<T>>) {
        let Some(run) = self.live.get_mut(&run_id) else { return };
        if run.is_dirty || run.sealed_in > self.durable_number {
            return;
        }
        if !run.state.status.is_terminal() && !leaves_memory {
            return;
        }
        // Whoever waits for the end of a run that only leaves memory goes on waiting by the feed.
        if !run.until_over.is_empty() {
            let view = Box::new(RunView::of(&run.state));
            for ticket in run.until_over.drain(..) {
                out.push(Output::Answer(ticket, Answer::Run(view.clone())));
            }
        }
        self.live.remove(&run_id);
    }

    fn conflicted(&mut self, entry: Entry<T>, conflict: Conflict, out: &mut Vec<Output<T>>) {
        if entry.run_id.is_nil() {
            return;
        }
        let run = self.live.remove(&entry.run_id);
        let mut waiting = entry.replies;
        waiting.extend(entry.joined);
        waiting.extend(entry.told.into_iter().map(|(ticket, _)| ticket));
        if let Some(run) = run {
            waiting.extend(run.until_over);
            waiting.extend(run.pending.told.into_iter().map(|(ticket, _)| ticket));
            waiting.extend(run.pending.replies);
            waiting.extend(run.joined);
        }
        let answer = match conflict {
            Conflict::KeyTaken { run_id, request_hash } => {
                Answer::Existing { run_id, request_hash }
            }
            Conflict::ExternalIdTaken { run_id } => Answer::ExternalIdTaken { run_id },
            Conflict::Changed | Conflict::Refused(_) if entry.creates.is_none() => {
                // Somebody else has written it, or the database refuses what we have in memory:
                // either way memory is wrong, and the store is asked again.
                self.reload_later(entry.run_id);
                self.request(entry.run_id, out);
                Answer::OutcomeUnknown("the run was changed elsewhere".to_owned())
            }
            Conflict::Changed => Answer::OutcomeUnknown("the run exists already".to_owned()),
            Conflict::Refused(message) => Answer::Broken(message),
        };
        for ticket in waiting {
            out.push(Output::Answer(ticket, answer.clone()));
        }
    }

    /// A failed commit: every run of the batch leaves memory, with what happened to it since, and is
    /// read again before it takes an input.
    fn failed(&mut self, now: Time, batch: Batch<T>, error: &StoreError, out: &mut Vec<Output<T>>) {
        if *error == StoreError::Fenced {
            self.is_fenced = true;
            out.push(Output::Fenced);
        }
        let answer = match error {
            StoreError::OutcomeUnknown(message) => Answer::OutcomeUnknown(message.clone()),
            other => Answer::Unavailable(other.to_string()),
        };
        for entry in batch.entries {
            self.forget_key(&entry);
            let mut waiting = entry.replies;
            waiting.extend(entry.joined);
            waiting.extend(entry.told.into_iter().map(|(ticket, _)| ticket));
            if let Some(run) = self.live.remove(&entry.run_id) {
                waiting.extend(run.until_over);
                waiting.extend(run.pending.told.into_iter().map(|(ticket, _)| ticket));
                waiting.extend(run.pending.replies);
                waiting.extend(run.joined);
            }
            if !entry.run_id.is_nil() {
                self.reload_later(entry.run_id);
            }
            for ticket in waiting {
                out.push(Output::Answer(ticket, answer.clone()));
            }
        }
        self.dirty.retain(|run_id| self.live.contains_key(run_id));
        self.unfinished.retain(|run_id| self.live.contains_key(run_id));
        self.inline.retain(|order| self.live.contains_key(&order.run_id));
        self.deepen_trouble(now);
    }

    fn forget_key(&mut self, entry: &Entry<T>) {
        if let Some(Some(key)) = &entry.creates {
            let place = (entry.project.clone(), key.route.clone(), key.key.clone());
            self.keys.remove(&place);
        }
    }
}

/// A write that only throws a message away.
fn throw_away<T>(key: MessageKey) -> (RunWrite, Entry<T>) {
    let run_id = key.target;
    let write = RunWrite { run_id, received: vec![key], ..RunWrite::default() };
    let entry = Entry {
        // It concerns no run, and whatever becomes of it, none is to be read again.
        run_id: Uuid::nil(),
        effects: Vec::new(),
        replies: Vec::new(),
        told: Vec::new(),
        tasks: Vec::new(),
        joined: Vec::new(),
        view: None,
        published: None,
        messages: Vec::new(),
        ask: None,
        frees: false,
        creates: None,
        project: Arc::from(""),
        leaves_memory: false,
    };
    (write, entry)
}
