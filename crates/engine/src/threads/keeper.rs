//! The thread that keeps the time: it fires timers, sweeps for orphans, forgets old keys.
//!
//! In a process that does not take up what others left behind, it keeps the timers of that
//! process's own runs, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::limits::KEYS_KEPT;
use windlass_core::run::StepStatus;
use windlass_store::{StoreError, TimerRow};

use super::{Call, Shared, ToCommitter, ToKeeper};
use crate::retention::ago;
use crate::shard::Input;
use crate::sweeper::Sweeper;
use crate::timers::{Timers, Wanted};
use crate::usage::day_of;

/// How often old keys are looked for, and how soon again if there were more than one look takes.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const PRUNE_AGAIN: Duration = Duration::from_millis(100);
const PRUNE_AT_ONCE: usize = 2_000;
/// A file that nobody names may belong to a commit whose outcome is unknown.
const BLOB_AGE: Duration = Duration::from_secs(3_600);
/// How often messages are looked for that nobody has taken up, how old one must be, and how many are
/// read at once.
const MAIL_EVERY: Duration = Duration::from_secs(5);
const MAIL_AGE: Duration = Duration::from_secs(2);
const MAIL_AT_ONCE: usize = 1_000;
/// How long it is known what models have taken. Budgets need the present day.
const USAGE_DAYS_KEPT: i64 = 400;
/// Steps read at once when a run's timers are looked for.
const STEPS_AT_ONCE: usize = 1_000;

pub(super) struct Keeper {
    shared: Arc<Shared>,
    /// Where runs that were left behind are not to go on: the timers of this process's own runs.
    own: Option<BTreeSet<TimerRow>>,
    timers: Timers,
    sweeper: Sweeper,
    next_prune: Time,
    next_blobs: Time,
    next_mail: Time,
    is_halted: bool,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, is_active: bool) -> Keeper {
        let is_halted = shared.halted.lock().is_some();
        Keeper {
            own: (!is_active).then(BTreeSet::new),
            timers: Timers::default(),
            sweeper: Sweeper::default(),
            next_prune: shared.clock.now(),
            next_blobs: shared.clock.now(),
            next_mail: Time::from_micros(0),
            is_halted,
            shared,
        }
    }

    pub(super) fn run(mut self, ear: &Receiver<ToKeeper>) {
        loop {
            let now = self.shared.clock.now();
            if !self.is_halted {
                self.fire(now);
            }
            self.sweep(now);
            self.repeat_messages(now);
            self.prune(now);
            let wait = self.next_due().since(self.shared.clock.now());
            match ear.recv_timeout(wait) {
                Ok(first) => {
                    for message in std::iter::once(first).chain(ear.try_iter()) {
                        match message {
                            ToKeeper::Timer(timer) => self.set(timer),
                            ToKeeper::Halt(is_halted) => self.is_halted = is_halted,
                            ToKeeper::Own(run_id) => self.take_as_own(run_id),
                            ToKeeper::PruneAgain => self.next_prune = now.plus(PRUNE_AGAIN),
                            ToKeeper::Stop => return,
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn next_due(&self) -> Time {
        let timer = match &self.own {
            _ if self.is_halted => None,
            Some(own) => own.first().map(|timer| timer.due_at),
            None => self.timers.next_due(),
        };
        let sweep = self.sweeper.next_due().filter(|_| self.own.is_none());
        let mail = self.own.is_none().then_some(self.next_mail);
        let prune = self.next_prune.min(self.next_blobs);
        [timer, sweep, mail].into_iter().flatten().fold(prune, Time::min)
    }

    fn set(&mut self, timer: TimerRow) {
        match &mut self.own {
            Some(own) => drop(own.insert(timer)),
            None => self.timers.set(timer),
        }
    }

    /// Keeps the timers of a run from now on that was there before this process.
    fn take_as_own(&mut self, run_id: Uuid) {
        let Some(own) = &mut self.own else { return };
        match waits(&self.shared, run_id) {
            Ok(timers) => own.extend(timers),
            Err(error) => tracing::warn!(%error, "the timers of a run could not be read"),
        }
    }

    fn fire(&mut self, now: Time) {
        if let Some(own) = &mut self.own {
            while own.first().is_some_and(|timer| timer.due_at <= now) {
                let Some(TimerRow { run_id, path, .. }) = own.pop_first() else { return };
                self.shared.send(run_id, Input::Timer { run_id, path });
            }
            return;
        }
        for wanted in self.timers.tick(now) {
            match wanted {
                Wanted::Fire(TimerRow { run_id, path, .. }) => {
                    self.shared.send(run_id, Input::Timer { run_id, path });
                }
                Wanted::Load { until, limit } => {
                    let found = self.shared.store.due_timers(until, limit);
                    if let Err(error) = &found {
                        tracing::warn!(%error, "timers could not be read");
                    }
                    self.timers.loaded(self.shared.clock.now(), until, found.ok());
                }
            }
        }
    }

    fn sweep(&mut self, now: Time) {
        if self.own.is_some() {
            return;
        }
        let Some(look) = self.sweeper.tick(now) else { return };
        let page = self.shared.store.orphans(self.shared.epoch, look.after, look.limit);
        if let Err(error) = &page {
            tracing::warn!(%error, "orphans could not be read");
        }
        let page = page.ok();
        self.sweeper.found(now, page.as_deref());
        for run_id in page.into_iter().flatten() {
            self.shared.send(run_id, Input::Adopt { run_id });
        }
    }

    /// Hands over once more what has not been taken up for a while: whoever was told of it, or should
    /// have been, is gone.
    fn repeat_messages(&mut self, now: Time) {
        if self.own.is_some() || self.next_mail > now {
            return;
        }
        let is_first = self.next_mail == Time::from_micros(0);
        self.next_mail = now.plus(MAIL_EVERY);
        let age = if is_first { Duration::ZERO } else { MAIL_AGE };
        let mut after = None;
        loop {
            let page = match self.shared.store.messages(after, MAIL_AT_ONCE) {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "messages between runs could not be read");
                    return;
                }
            };
            after = page.items.last().map(|message| (message.created_at, message.key()));
            for message in page.items {
                if message.created_at.plus(age) > now {
                    return;
                }
                self.shared.hand_over(message);
            }
            if !page.has_more {
                return;
            }
        }
    }

    /// Has forgotten what is old, a portion at a time so that commits do not wait for it, and files
    /// removed that nobody names.
    fn prune(&mut self, now: Time) {
        if self.next_blobs <= now {
            self.next_blobs = now.plus(PRUNE_EVERY);
            match self.shared.store.prune_blobs(ago(now, BLOB_AGE), PRUNE_AT_ONCE) {
                Ok(0) => {}
                Ok(count) => tracing::debug!(count, "removed files of large values"),
                Err(error) => tracing::warn!(%error, "old files could not be removed"),
            }
        }
        if self.next_prune > now {
            return;
        }
        self.next_prune = now.plus(PRUNE_EVERY);
        let keys_before = ago(now, KEYS_KEPT);
        let days_before = day_of(now) - USAGE_DAYS_KEPT;
        let (keeper, epoch) = (self.shared.keeper.clone(), self.shared.epoch);
        let prune: Call = Box::new(move |store| {
            let keys =
                store.prune_keys(epoch, keys_before, PRUNE_AT_ONCE).unwrap_or_else(|error| {
                    tracing::warn!(%error, "old idempotency keys could not be forgotten");
                    0
                });
            let outputs = store.prune_cache(epoch, now, PRUNE_AT_ONCE).unwrap_or_else(|error| {
                tracing::warn!(%error, "outputs that are too old could not be forgotten");
                0
            });
            let usage = store.prune_usage(epoch, days_before, PRUNE_AT_ONCE);
            let usage = usage.unwrap_or_else(|error| {
                tracing::warn!(%error, "what models took long ago could not be forgotten");
                0
            });
            if keys.max(outputs).max(usage) == PRUNE_AT_ONCE {
                let _ = keeper.send(ToKeeper::PruneAgain);
            }
        });
        let _ = self.shared.committer.send(ToCommitter::Call(prune));
    }
}

/// Until when the steps of a run wait.
fn waits(shared: &Shared, run_id: Uuid) -> Result<Vec<TimerRow>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = shared.store.steps(run_id, after, STEPS_AT_ONCE)?;
        after = page.items.last().map(|step| step.ordinal);
        for step in page.items {
            let waits = matches!(step.status, StepStatus::Waiting | StepStatus::BackingOff);
            if let Some(due_at) = step.due_at.filter(|_| waits) {
                found.push(TimerRow { due_at, run_id, path: step.path });
            }
        }
        if !page.has_more {
            return Ok(found);
        }
    }
}
