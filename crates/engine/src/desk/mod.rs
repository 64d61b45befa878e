//! The desk: everything that workers outside can take, and what they hold.
//!
//! Rows in the store are the truth, written with the events that they follow from; here they stand in
//! order, so that the next one is found at once. A task that is picked is asked of its run, and only
//! when that is durable is it a worker's own. A lease lives here: a heartbeat writes a time and
//! nothing else, and what a lease that has ended does to the run is for the run to decide.
//!
//! Not here: what a claim means (`windlass-core`), who may ask (the server).

mod lease;
mod limits;
mod polls;
mod queue;
mod seen;
mod state;
mod task;
mod totals;
mod tried;
mod views;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use windlass_store::{Store, StoreError};

pub(crate) use lease::{Expired, Grip};
pub use limits::{QueueLimits, Rate};
pub(crate) use polls::Pick;
pub use seen::SEEN_RECENTLY;
pub(crate) use state::Spoken;
pub(crate) use task::Said;
pub use task::{
    Beat, Demand, LEASE_DEFAULT, LEASE_MAX, LEASE_MIN, Over, POLL_COUNT_MAX, Scope, TaskRefused,
    Want,
};
pub use totals::{DeskTotals, QueueTotal};
pub use tried::Trial;
pub use views::{HeldView, QueueView, TaskLine, TaskWait, WorkerView};

use self::state::State;
use crate::shard::TaskChange;

/// Rows read at once.
const ROWS_A_READ: usize = 10_000;

/// Says which plugin a kind is of, if it is one's.
pub type PluginOf = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Everything that workers outside can take, and what they hold.
pub struct Desk {
    state: Mutex<State>,
    /// Whether all tasks there were have been read.
    is_filled: watch::Sender<bool>,
    /// The kinds that workers of plugins do, and the plugin of each.
    plugins: PluginOf,
    /// How often roles have learned something.
    learned: AtomicU64,
    /// How often something was taken back from one who was silent for too long.
    reclaimed: AtomicU64,
}

impl Desk {
    /// An empty desk.
    pub fn new(limits: Vec<(String, QueueLimits)>, plugins: PluginOf) -> Desk {
        let state = State { limits, known: Some(HashSet::new()), ..State::default() };
        let is_filled = watch::Sender::new(false);
        let (learned, reclaimed) = (AtomicU64::new(0), AtomicU64::new(0));
        Desk { state: Mutex::new(state), is_filled, plugins, learned, reclaimed }
    }

    /// How often roles have learned something that is durable. Who knows that there is nothing to
    /// remember need not look again while this stays the same.
    pub fn learned(&self) -> u64 {
        self.learned.load(Ordering::Acquire)
    }

    /// Reads all tasks there are. What becomes durable meanwhile is newer than any row.
    pub(crate) fn fill(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = store.tasks(after, ROWS_A_READ)?;
            after = page.items.last().map(|row| row.task_id);
            let now = Instant::now();
            let mut state = self.state.lock();
            for row in &page.items {
                let is_known =
                    state.known.as_ref().is_some_and(|known| known.contains(&row.task_id));
                if !is_known {
                    state.put(row, now);
                }
            }
            if !page.has_more {
                state.known = None;
                self.is_filled.send_replace(true);
                return Ok(());
            }
        }
    }

    /// Waits until all tasks there were have been read: what is shown before is a part.
    pub async fn filled(&self) {
        // The sender is the desk's own.
        let _ = self.is_filled.subscribe().wait_for(|is_filled| *is_filled).await;
    }

    /// Something has become durable about tasks. Answers which attempts nothing more is said in, of
    /// those in which something was.
    pub(crate) fn apply(&self, changes: Vec<TaskChange>) -> Vec<Spoken> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let mut ended = Vec::new();
        for change in changes {
            let task_id = match &change {
                TaskChange::Stands(row) => row.task_id,
                TaskChange::Over { task_id, .. } => *task_id,
                TaskChange::Learned => {
                    self.learned.fetch_add(1, Ordering::AcqRel);
                    continue;
                }
            };
            let before = state.spoken(task_id);
            state.apply(change, now);
            if let Some((fence, spoken)) = before
                && state.spoken(task_id).is_none_or(|(now, _)| now != fence)
            {
                ended.push(spoken);
            }
        }
        ended
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}
