//! The committer: one transaction at a time, for all shards together.
//!
//! Whatever the shards have ready when a transaction ends goes into the next one, so one sync of
//! the disk serves as many steps as have come meanwhile.

use windlass_store::{Conflict, RunWrite, StoreError};

/// Gathers batches into groups, and tells each shard what became of its own.
#[derive(Debug, Default)]
pub struct Committer {
    waiting: Vec<(usize, Vec<RunWrite>)>,
    /// The shards of the group under way, with the length of each batch.
    under_way: Option<Vec<(usize, usize)>>,
}

/// What became of the batch of one shard.
pub type Outcome = (usize, Result<Vec<(usize, Conflict)>, StoreError>);

impl Committer {
    /// Takes a batch of a shard.
    pub fn take(&mut self, shard: usize, batch: Vec<RunWrite>) {
        self.waiting.push((shard, batch));
    }

    /// The next group, if there is something to commit and no group is under way.
    pub fn next_group(&mut self) -> Option<Vec<RunWrite>> {
        if self.under_way.is_some() || self.waiting.is_empty() {
            return None;
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.under_way = Some(waiting.iter().map(|(shard, batch)| (*shard, batch.len())).collect());
        Some(waiting.into_iter().flat_map(|(_, batch)| batch).collect())
    }

    /// What became of the group, for each shard.
    pub fn done(&mut self, result: Result<Vec<(usize, Conflict)>, StoreError>) -> Vec<Outcome> {
        let shards = self.under_way.take().unwrap_or_default();
        let mut start = 0;
        let outcome = |(shard, length): (usize, usize)| {
            let end = start + length;
            let own = result.clone().map(|conflicts| {
                let own = conflicts.into_iter().filter(|(place, _)| (start..end).contains(place));
                own.map(|(place, conflict)| (place - start, conflict)).collect()
            });
            start = end;
            (shard, own)
        };
        shards.into_iter().map(outcome).collect()
    }

    /// Whether nothing waits and nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn write(number: u128) -> RunWrite {
        RunWrite { run_id: Uuid::from_u128(number), ..RunWrite::default() }
    }

    #[test]
    fn what_comes_meanwhile_is_the_next_group_and_conflicts_find_home() {
        let mut committer = Committer::default();
        committer.take(0, vec![write(1)]);
        committer.take(1, vec![write(2), write(3)]);
        assert_eq!(committer.next_group().unwrap().len(), 3);
        committer.take(0, vec![write(4)]);
        assert_eq!(committer.next_group(), None, "one at a time");
        let outcomes = committer.done(Ok(vec![(2, Conflict::Changed)]));
        assert_eq!(outcomes, [(0, Ok(vec![])), (1, Ok(vec![(1, Conflict::Changed)]))]);
        assert_eq!(committer.next_group().unwrap().len(), 1);
        let failed = Err(StoreError::Unavailable("full".into()));
        assert_eq!(committer.done(failed.clone()), [(0, failed)]);
        assert!(committer.is_idle());
    }
}
