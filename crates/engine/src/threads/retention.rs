//! The thread that lets runs go that have had their time.
//!
//! It is a thread of its own because an archive may be far away: neither timers nor commits wait for
//! it. Runs are deleted a portion at a time on the thread that writes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use uuid::Uuid;
use windlass_store::{Expiry, REASON_DELETING, RunRow, Store, StoreError};

use super::{Call, Shared, ToCommitter};
use crate::retention::{Archive, RetentionRules};

/// How often old runs are looked for, and how soon again if there were some.
const LOOK_EVERY: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How soon an archive that has failed is tried again. The wait doubles up to that between two looks.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Runs archived at once, and deleted in one transaction, for which commits wait.
const RUNS_AT_ONCE: usize = 100;

pub(super) struct Retention {
    shared: Arc<Shared>,
    rules: RetentionRules,
    archive: Option<Arc<dyn Archive>>,
    /// What was archived and was found again by the last look, with the number of its last event then.
    kept: HashMap<Uuid, u64>,
    /// The same of the look that is under way.
    kept_now: HashMap<Uuid, u64>,
    /// How long to wait after the next failure of the archive; `None` while it does not fail.
    next_wait: Option<Duration>,
}

/// Why nothing was deleted.
enum Stays {
    /// The archive has not taken it.
    NotKept(String),
    Store(StoreError),
}

impl From<StoreError> for Stays {
    fn from(error: StoreError) -> Stays {
        Stays::Store(error)
    }
}

impl Retention {
    pub(super) fn new(
        shared: Arc<Shared>,
        rules: RetentionRules,
        archive: Option<Arc<dyn Archive>>,
    ) -> Retention {
        let (kept, kept_now) = Default::default();
        Retention { shared, rules, archive, kept, kept_now, next_wait: None }
    }

    /// Until nobody can say anything any more.
    pub(super) fn run(mut self, ear: &Receiver<Infallible>) {
        let mut wait = Duration::ZERO;
        while ear.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            wait = self.look();
        }
    }

    /// Lets a portion of each sort of runs go. Answers how long to wait before the next look.
    fn look(&mut self) -> Duration {
        let mut wait = LOOK_EVERY;
        for expiry in self.rules.expiries(self.shared.clock.now()) {
            match self.let_go(&expiry) {
                Ok(0) => {}
                // Sub-runs can go once their parent has gone, so any run may be followed by others.
                Ok(count) => {
                    tracing::debug!(count, "deleted old runs");
                    wait = LOOK_AGAIN;
                }
                Err(Stays::Store(error)) => tracing::warn!(%error, "old runs could not be deleted"),
                Err(Stays::NotKept(why)) => return self.put_off(&why),
            }
        }
        // What was not found again is gone.
        self.kept = std::mem::take(&mut self.kept_now);
        if self.next_wait.take().is_some() {
            tracing::info!("old runs are archived again");
        }
        wait
    }

    /// Says once that the archive fails, however often it does.
    fn put_off(&mut self, why: &str) -> Duration {
        if self.next_wait.is_none() {
            tracing::warn!(why, "old runs stay, because they could not be archived");
        }
        let wait = self.next_wait.unwrap_or(TRY_AGAIN);
        self.next_wait = Some((wait * 2).min(LOOK_EVERY));
        wait
    }

    fn let_go(&mut self, expiry: &Expiry) -> Result<usize, Stays> {
        let runs = self.shared.store.expired_runs(expiry, RUNS_AT_ONCE)?;
        if runs.is_empty() {
            return Ok(0);
        }
        let is_archived = self.archive.is_some();
        self.archive(&runs)?;
        let deleted = self.delete(runs, is_archived)?;
        Ok(deleted)
    }

    fn archive(&mut self, runs: &[RunRow]) -> Result<(), Stays> {
        let Some(archive) = &self.archive else { return Ok(()) };
        let new: Vec<RunRow> =
            runs.iter().filter(|run| !is_kept(&self.kept, run)).cloned().collect();
        if !new.is_empty() {
            archive.keep(&new).map_err(Stays::NotKept)?;
        }
        self.kept_now.extend(runs.iter().map(|run| (run.run_id, run.last_seq)));
        Ok(())
    }

    /// Deletes what can go of these runs at once. Of archived ones only those of which nothing was heard
    /// since.
    fn delete(&self, runs: Vec<RunRow>, is_archived: bool) -> Result<usize, StoreError> {
        let (answer, told) = bounded(1);
        let epoch = self.shared.epoch;
        let call: Call = Box::new(move |store| {
            let runs = if is_archived { unchanged(store, runs) } else { Ok(runs) };
            let deleted = runs.and_then(|runs| {
                let ids: Vec<Uuid> = runs.iter().map(|run| run.run_id).collect();
                store.delete_runs(epoch, &ids)
            });
            // The committer tidies in quiet moments, and a busy server has none for days. A failure is
            // told there: whatever is left to tidy is still there then.
            if deleted.as_ref().is_ok_and(|count| *count > 0) {
                let _ = store.tidy();
            }
            // Whoever asked may have gone.
            drop(answer.send(deleted));
        });
        let _ = self.shared.committer.send(ToCommitter::Call(call));
        let gone = |_| Err(StoreError::Unavailable("the server is going down".to_owned()));
        told.recv().unwrap_or_else(gone)
    }
}

/// Whether a run was archived as it is. One of which a part is deleted was, before that.
fn is_kept(kept: &HashMap<Uuid, u64>, run: &RunRow) -> bool {
    is_being_deleted(run) || kept.get(&run.run_id) == Some(&run.last_seq)
}

fn is_being_deleted(run: &RunRow) -> bool {
    run.reason.as_deref() == Some(REASON_DELETING)
}

/// Those of some runs that are as they were. Another program may have said more of its own.
fn unchanged(store: &dyn Store, runs: Vec<RunRow>) -> Result<Vec<RunRow>, StoreError> {
    let mut same = Vec::with_capacity(runs.len());
    for run in runs {
        let found = store.run(&run.project, &run.run_id.to_string())?;
        if found.is_some_and(|now| is_being_deleted(&now) || now.last_seq == run.last_seq) {
            same.push(run);
        }
    }
    Ok(same)
}
