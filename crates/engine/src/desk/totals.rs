//! What the desk has in all, over all projects: for whoever counts.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::Time;

use super::Desk;

/// What all queues have in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeskTotals {
    /// The queues with something that waits, by name. Queues of one name are one here, whichever
    /// project they are of.
    pub queues: BTreeMap<String, QueueTotal>,
    /// For how long the most silent of those who hold something has not been heard of.
    pub silent_for: Option<Duration>,
    /// How often something was taken back from one who was silent for too long, since the start.
    pub reclaim_count: u64,
}

/// What waits in queues of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueTotal {
    /// How many tasks.
    pub depth: usize,
    /// Since when whatever has waited longest waits.
    pub oldest: Time,
}

impl Desk {
    /// What all queues have in them, and how those are who hold something.
    pub fn totals(&self) -> DeskTotals {
        let state = self.state.lock();
        let now = Instant::now();
        let mut queues: BTreeMap<String, QueueTotal> = BTreeMap::new();
        for ((name, _), queue) in &state.queues {
            let (Some(oldest), depth) = (queue.oldest(), queue.ready_count) else { continue };
            let total = queues.entry(name.to_string()).or_insert(QueueTotal { depth: 0, oldest });
            total.depth += depth;
            total.oldest = total.oldest.min(oldest);
        }
        let silent = state.held().map(|(_, _, lease)| {
            // The lease began with the last sign of life.
            now.saturating_duration_since(lease.until.checked_sub(lease.length).unwrap_or(now))
        });
        let silent_for = silent.max();
        DeskTotals { queues, silent_for, reclaim_count: self.reclaimed.load(Ordering::Relaxed) }
    }

    /// Something was taken back, durably.
    pub(crate) fn reclaimed(&self) {
        self.reclaimed.fetch_add(1, Ordering::Relaxed);
    }
}
