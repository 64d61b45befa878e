//! One queue: what waits, in the order in which it is handed out.
//!
//! The highest priority comes first. Within it, the keys of fairness take turns, and of one key
//! whatever has waited longest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::Time;

use super::limits::{Bucket, QueueLimits};

/// Where a task stands in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) priority: i32,
    pub(super) fairness_key: Arc<str>,
    pub(super) since: Time,
    pub(super) task_id: Uuid,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    levels: BTreeMap<Reverse<i32>, Level>,
    pub(super) ready_count: usize,
    /// Tasks in somebody's hands, or on their way there.
    pub(super) held_count: usize,
    pub(super) limits: QueueLimits,
    bucket: Option<Bucket>,
}

/// What waits with one priority. Every key may be a customer, so nothing here walks over all of them.
#[derive(Debug, Default)]
struct Level {
    /// The keys, in the order of their turns. Each is here once, as long as it has tasks.
    turns: BTreeMap<u64, Arc<str>>,
    next_turn: u64,
    by_key: HashMap<Arc<str>, Line>,
    /// What has waited longest of each key.
    heads: BTreeSet<(Time, Uuid)>,
    count: usize,
}

/// What waits of one key.
#[derive(Debug)]
struct Line {
    turn: u64,
    tasks: BTreeSet<(Time, Uuid)>,
}

impl Level {
    fn add(&mut self, key: &Arc<str>, task: (Time, Uuid)) -> bool {
        let line = self.by_key.entry(key.clone()).or_insert_with(|| {
            self.next_turn += 1;
            self.turns.insert(self.next_turn, key.clone());
            Line { turn: self.next_turn, tasks: BTreeSet::new() }
        });
        let before = line.tasks.first().copied();
        if !line.tasks.insert(task) {
            return false;
        }
        self.count += 1;
        let head = line.tasks.first().copied();
        self.head(before, head);
        true
    }

    fn remove(&mut self, key: &str, task: (Time, Uuid)) -> bool {
        let Some(line) = self.by_key.get_mut(key) else { return false };
        let before = line.tasks.first().copied();
        if !line.tasks.remove(&task) {
            return false;
        }
        self.count -= 1;
        let head = line.tasks.first().copied();
        if head.is_none() {
            self.turns.remove(&line.turn);
            self.by_key.remove(key);
        }
        self.head(before, head);
        true
    }

    /// Takes the first of the key whose turn it is; then it is the turn of the others.
    fn take(&mut self) -> Option<Uuid> {
        let (_, key) = self.turns.pop_first()?;
        let line = self.by_key.get_mut(&key)?;
        let first = line.tasks.first().copied()?;
        self.next_turn += 1;
        line.turn = self.next_turn;
        self.turns.insert(line.turn, key.clone());
        self.remove(&key, first);
        Some(first.1)
    }

    fn first(&self) -> Option<(Time, Uuid)> {
        let (_, key) = self.turns.first_key_value()?;
        self.by_key.get(key)?.tasks.first().copied()
    }

    fn head(&mut self, before: Option<(Time, Uuid)>, head: Option<(Time, Uuid)>) {
        if before == head {
            return;
        }
        before.iter().for_each(|before| {
            self.heads.remove(before);
        });
        self.heads.extend(head);
    }
}

/// Whether something can be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This priority, waiting since then.
    Ready(i32, Time),
    /// Not before this time.
    At(Instant),
    /// As many are out as may be.
    Full,
    /// Nothing waits.
    Empty,
}

impl Queue {
    pub(super) fn new(limits: QueueLimits, now: Instant) -> Queue {
        let bucket = limits.rate.map(|rate| Bucket::new(rate, now));
        Queue { limits, bucket, ..Queue::default() }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.ready_count == 0 && self.held_count == 0 && self.bucket.is_none()
    }

    /// Whether it is unused, and its rate remembers nothing that a new queue would not know.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let is_empty = self.ready_count == 0 && self.held_count == 0;
        is_empty && self.bucket.as_mut().is_none_or(|bucket| bucket.is_full(now))
    }

    pub(super) fn add(&mut self, rank: &Rank) {
        let level = self.levels.entry(Reverse(rank.priority)).or_default();
        if level.add(&rank.fairness_key, (rank.since, rank.task_id)) {
            self.ready_count += 1;
        }
    }

    pub(super) fn remove(&mut self, rank: &Rank) {
        let place = Reverse(rank.priority);
        let Some(level) = self.levels.get_mut(&place) else { return };
        if level.remove(&rank.fairness_key, (rank.since, rank.task_id)) {
            self.ready_count -= 1;
        }
        if level.count == 0 {
            self.levels.remove(&place);
        }
    }

    /// What could be handed out next.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let Some((Reverse(priority), level)) = self.levels.first_key_value() else {
            return Next::Empty;
        };
        let Some((since, _)) = level.first() else { return Next::Empty };
        let next = Next::Ready(*priority, since);
        if self.limits.concurrency.is_some_and(|most| self.held_count >= most) {
            return Next::Full;
        }
        let wait = self.bucket.as_mut().and_then(|bucket| bucket.wait(now));
        wait.map_or(next, Next::At)
    }

    /// Whether its limits let nothing be handed out now.
    pub(super) fn is_held_up(&mut self, now: Instant) -> bool {
        let is_full = self.limits.concurrency.is_some_and(|most| self.held_count >= most);
        is_full || self.bucket.as_mut().is_some_and(|bucket| bucket.wait(now).is_some())
    }

    /// Something was handed out past the order.
    pub(super) fn spend(&mut self) {
        if let Some(bucket) = &mut self.bucket {
            bucket.take();
        }
    }

    /// Takes what [`Queue::next`] spoke of. It counts as held from now on.
    pub(super) fn take(&mut self) -> Option<Uuid> {
        let mut first = self.levels.first_entry()?;
        let level = first.get_mut();
        let task_id = level.take()?;
        if level.count == 0 {
            first.remove();
        }
        self.ready_count -= 1;
        self.held_count += 1;
        if let Some(bucket) = &mut self.bucket {
            bucket.take();
        }
        Some(task_id)
    }

    /// How many stand before one, as far as that can be said: those of higher priority, and those of
    /// the same key that came earlier; `most` are counted.
    pub(super) fn ahead_of(&self, rank: &Rank, most: usize) -> usize {
        let higher = self.levels.range(..Reverse(rank.priority));
        let higher: usize = higher.map(|(_, level)| level.count).sum();
        let level = self.levels.get(&Reverse(rank.priority));
        let own = level.and_then(|level| level.by_key.get(&rank.fairness_key));
        let before =
            own.map_or(0, |line| line.tasks.range(..(rank.since, rank.task_id)).take(most).count());
        (higher + before).min(most)
    }

    /// Since when whatever has waited longest waits.
    pub(super) fn oldest(&self) -> Option<Time> {
        let heads = self.levels.values().filter_map(|level| level.heads.first());
        heads.map(|(since, _)| *since).min()
    }

    /// What waits, in no order that means anything, at most `most`.
    pub(super) fn waiting(&self, most: usize) -> impl Iterator<Item = Uuid> {
        let lines = self.levels.values().flat_map(|level| level.by_key.values());
        lines.flat_map(|line| &line.tasks).map(|(_, task_id)| *task_id).take(most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::limits::Rate;
    use super::*;

    fn rank(priority: i32, key: &str, since: i64) -> Rank {
        Rank {
            priority,
            fairness_key: Arc::from(key),
            since: Time::from_micros(since),
            task_id: Uuid::from_u128(u128::try_from(since).unwrap()),
        }
    }

    fn all(queue: &mut Queue) -> Vec<u128> {
        std::iter::from_fn(|| queue.take()).map(|task_id| task_id.as_u128()).collect()
    }

    #[test]
    fn priority_comes_first_then_keys_take_turns_then_age_counts() {
        let mut queue = Queue::default();
        for (priority, key, since) in
            [(0, "a", 1), (0, "a", 2), (0, "a", 3), (0, "b", 4), (0, "b", 5), (7, "c", 9)]
        {
            queue.add(&rank(priority, key, since));
        }
        assert_eq!(queue.ahead_of(&rank(0, "a", 3), 100), 3);
        assert_eq!(queue.oldest(), Some(Time::from_micros(1)));
        assert_eq!(all(&mut queue), [9, 1, 4, 2, 5, 3]);
        assert_eq!((queue.ready_count, queue.held_count), (0, 6));
    }

    #[test]
    fn what_is_taken_back_loses_its_turn() {
        let mut queue = Queue::default();
        queue.add(&rank(0, "a", 1));
        queue.add(&rank(0, "b", 2));
        queue.remove(&rank(0, "a", 1));
        assert_eq!(queue.oldest(), Some(Time::from_micros(2)));
        queue.add(&rank(0, "a", 3));
        assert_eq!(all(&mut queue), [2, 3]);
        assert_eq!(queue.oldest(), None);
    }

    #[test]
    fn limits_hold_back() {
        let now = Instant::now();
        let limits = QueueLimits {
            concurrency: Some(2),
            rate: Some(Rate { count: 1, per: Duration::from_secs(10) }),
        };
        let mut queue = Queue::new(limits, now);
        (1..=3).for_each(|since| queue.add(&rank(0, "", since)));
        assert_eq!(queue.next(now), Next::Ready(0, Time::from_micros(1)));
        queue.take();
        assert!(matches!(queue.next(now), Next::At(at) if at > now + Duration::from_secs(9)));
        let later = now + Duration::from_secs(11);
        assert!(matches!(queue.next(later), Next::Ready(..)));
        queue.take();
        assert_eq!(queue.next(later + Duration::from_secs(60)), Next::Full);
        queue.remove(&rank(0, "", 3));
        queue.held_count = 0;
        assert!(!queue.is_over(later), "it must not hand out more than its rate");
        assert!(queue.is_over(later + Duration::from_secs(60)));
    }
}
