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
    /// What was archived and was found again by the last look, and how far it had come then.
    kept: HashMap<Uuid, Reach>,
    /// The same of the look that is under way.
    kept_now: HashMap<Uuid, Reach>,
    /// How long to wait after the next failure of the archive; `None` while it does not fail.
    next_wait: Option<Duration>,
}

/// How far a run has come. Another program may say more of its own even once they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    last_seq: u64,
    last_log_seq: u64,
}

/// A run that has had its time.
struct Old {
    row: RunRow,
    /// How far it had come before it was archived; `None` if no archive keeps it.
    kept: Option<Reach>,
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
                Ok(None) => {}
                // Something was said of them meanwhile.
                Ok(Some(0)) => wait = wait.min(TRY_AGAIN),
                // Sub-runs can go once their parent has gone, so any run may be followed by others.
                Ok(Some(count)) => {
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

    /// Answers how many went; `None` if there are none.
    fn let_go(&mut self, expiry: &Expiry) -> Result<Option<usize>, Stays> {
        let runs = self.shared.store.expired_runs(expiry, RUNS_AT_ONCE)?;
        if runs.is_empty() {
            return Ok(None);
        }
        let runs = self.archive(runs)?;
        let deleted = self.delete(runs)?;
        Ok(Some(deleted))
    }

    /// How far each has come is looked up before it is archived: what is said meanwhile has it stay.
    fn archive(&mut self, runs: Vec<RunRow>) -> Result<Vec<Old>, Stays> {
        let Some(archive) = self.archive.clone() else {
            return Ok(runs.into_iter().map(|row| Old { row, kept: None }).collect());
        };
        let (mut old, mut new) = (Vec::with_capacity(runs.len()), Vec::new());
        for row in runs {
            let Some(reach) = reach(&*self.shared.store, &row)? else { continue };
            // One of which a part is deleted was archived before that.
            if !is_being_deleted(&row) && self.kept.get(&row.run_id) != Some(&reach) {
                new.push(row.clone());
            }
            old.push(Old { row, kept: Some(reach) });
        }
        if !new.is_empty() {
            archive.keep(&new).map_err(Stays::NotKept)?;
        }
        let kept = old.iter().filter_map(|old| Some((old.row.run_id, old.kept?)));
        self.kept_now.extend(kept);
        Ok(old)
    }

    /// Deletes what can go of these runs at once. Of archived ones only those of which nothing was heard
    /// since.
    fn delete(&self, runs: Vec<Old>) -> Result<usize, StoreError> {
        let (answer, told) = bounded(1);
        let epoch = self.shared.epoch;
        let call: Call = Box::new(move |store| {
            let deleted = unchanged(store, &runs).and_then(|ids| store.delete_runs(epoch, &ids));
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

fn is_being_deleted(run: &RunRow) -> bool {
    run.reason.as_deref() == Some(REASON_DELETING)
}

/// How far a run has come; `None` if it is gone.
fn reach(store: &dyn Store, run: &RunRow) -> Result<Option<Reach>, StoreError> {
    let found = store.overview(run.run_id, 0)?;
    Ok(found.map(|found| Reach { last_seq: found.row.last_seq, last_log_seq: found.last_log_seq }))
}

/// Those of some runs that are as they were archived, or never were.
fn unchanged(store: &dyn Store, runs: &[Old]) -> Result<Vec<Uuid>, StoreError> {
    let mut same = Vec::with_capacity(runs.len());
    for Old { row, kept } in runs {
        if kept.is_none() || reach(store, row)? == *kept {
            same.push(row.run_id);
        }
    }
    Ok(same)
}
