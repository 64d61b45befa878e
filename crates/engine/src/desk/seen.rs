//! Who has asked for work, and when.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::task::{Demand, Scope};

/// Who asked within this time is likely to ask again.
pub const SEEN_RECENTLY: Duration = Duration::from_secs(30);
/// Who has not been heard of for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);
/// Workers that are remembered.
const WORKER_COUNT_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) queues: Vec<String>,
    pub(super) at: Instant,
    /// Polls of its that wait.
    pub(super) polls: usize,
}

#[derive(Debug, Default)]
pub(super) struct Workers {
    by_name: HashMap<(Scope, String), Seen>,
}

impl Workers {
    pub(super) fn begins_poll(&mut self, scope: &Scope, demand: &Demand, now: Instant) {
        self.make_room(now);
        let key = (scope.clone(), demand.worker.clone());
        let seen = self.by_name.entry(key).or_insert_with(|| Seen {
            queues: Vec::new(),
            at: now,
            polls: 0,
        });
        seen.queues = demand.wants.iter().map(|want| want.queue.clone()).collect();
        seen.at = now;
        seen.polls += 1;
    }

    pub(super) fn ends_poll(&mut self, scope: &Scope, worker: &str, now: Instant) {
        if let Some(seen) = self.by_name.get_mut(&(scope.clone(), worker.to_owned())) {
            seen.at = now;
            seen.polls = seen.polls.saturating_sub(1);
        }
    }

    pub(super) fn heard_of(&mut self, scope: &Scope, worker: &str, now: Instant) {
        if let Some(seen) = self.by_name.get_mut(&(scope.clone(), worker.to_owned())) {
            seen.at = now;
        }
    }

    /// How many of them take from a queue and have asked of late, or wait for work now.
    pub(super) fn recent(
        &self,
        queue: &str,
        now: Instant,
        is_meant: impl Fn(&Scope) -> bool,
    ) -> usize {
        let does = |seen: &&Seen| {
            let is_there = seen.polls > 0 || now - seen.at <= SEEN_RECENTLY;
            is_there && seen.queues.iter().any(|one| one == queue)
        };
        let meant = self.by_name.iter().filter(|((scope, _), _)| is_meant(scope));
        meant.map(|(_, seen)| seen).filter(does).count()
    }

    pub(super) fn iter(&mut self, now: Instant) -> impl Iterator<Item = (&(Scope, String), &Seen)> {
        self.forget_old(now);
        self.by_name.iter()
    }

    fn forget_old(&mut self, now: Instant) {
        self.by_name.retain(|_, seen| seen.polls > 0 || now - seen.at < FORGOTTEN_AFTER);
    }

    /// Names are of the workers' own choice, so a new one for every poll must not cost memory.
    fn make_room(&mut self, now: Instant) {
        if self.by_name.len() < WORKER_COUNT_MAX {
            return;
        }
        self.forget_old(now);
        while self.by_name.len() >= WORKER_COUNT_MAX {
            let oldest = self.by_name.iter().filter(|(_, seen)| seen.polls == 0);
            let Some(key) = oldest.min_by_key(|(_, seen)| seen.at).map(|(key, _)| key.clone())
            else {
                return;
            };
            self.by_name.remove(&key);
        }
    }
}
