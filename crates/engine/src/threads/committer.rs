//! The thread around the committer.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{Shared, ToCommitter, ToShard};
use crate::committer::Committer;
use crate::shard::Input;

/// How long nothing must have been committed before the store is tidied.
const QUIET: Duration = Duration::from_millis(200);

/// The thread around the committer: commits what shards hand over, does what is called for between
/// two commits, and tidies the store when it is quiet.
pub(super) fn run(shared: &Shared, ear: &Receiver<ToCommitter>) {
    let mut committer = Committer::default();
    let mut is_tidy = true;
    let mut own_commits_seen = 0;
    loop {
        let first = if is_tidy {
            match ear.recv() {
                Ok(message) => message,
                Err(_) => return,
            }
        } else {
            match ear.recv_timeout(QUIET) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    let own_commits = shared.own_commits.load(Ordering::Relaxed);
                    if std::mem::replace(&mut own_commits_seen, own_commits) != own_commits {
                        continue;
                    }
                    shared.is_untidy.store(false, Ordering::Relaxed);
                    is_tidy = match shared.store.tidy() {
                        Ok(has_more) => !has_more,
                        Err(error) => {
                            tracing::warn!(%error, "the store could not be tidied");
                            true
                        }
                    };
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        let mut calls = Vec::new();
        let mut is_last = false;
        for message in std::iter::once(first).chain(ear.try_iter()) {
            match message {
                ToCommitter::Batch(shard, batch) => committer.take(shard, batch),
                ToCommitter::Call(call) => calls.push(call),
                ToCommitter::Untidy => {}
                ToCommitter::Stop => is_last = true,
            }
        }
        let writing = shared.writing.lock();
        if let Some(group) = committer.next_group() {
            let result = shared.store.commit(shared.epoch, &group);
            if let Err(error) = &result {
                tracing::error!(%error, run.count = group.len(), "a commit failed");
            }
            for (shard, outcome) in committer.done(result) {
                let _ = shared.shards[shard].send(ToShard::Input(Input::Committed(outcome)));
            }
            // Dropping thousands of rows takes a while; the shards have their answer already.
            drop(group);
        }
        for call in calls {
            call(&*shared.store);
        }
        drop(writing);
        is_tidy = false;
        if is_last {
            return;
        }
    }
}
