//! What waits for workers, and how those are who have taken something.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use windlass_core::Time;
use windlass_engine::desk::DeskTotals;

/// Queues that are shown each by itself: the deepest. The rest is `other`.
const QUEUE_COUNT_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    queue: String,
}

type Seconds = Gauge<f64, AtomicU64>;

#[derive(Default)]
pub(super) struct Queues {
    depth: Family<QueueLabels, Gauge>,
    oldest_age: Family<QueueLabels, Seconds>,
    heartbeat_age: Seconds,
    reclaims: Counter,
}

impl Queues {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("queue_depth", "Tasks that wait for a worker", self.depth.clone());
        let help = "For how long whatever has waited longest waits for a worker";
        let ages = self.oldest_age.clone();
        registry.register_with_unit("queue_oldest_age", help, Unit::Seconds, ages);
        let help = "For how long the most silent of those who hold a task has not been heard of";
        let age = self.heartbeat_age.clone();
        registry.register_with_unit("worker_heartbeat_age", help, Unit::Seconds, age);
        let help = "Tasks taken back from workers that were silent for too long";
        registry.register("lease_reclaims", help, self.reclaims.clone());
    }

    /// Takes what the desk has now.
    pub(super) fn look(&self, totals: &DeskTotals, now: Time) {
        self.heartbeat_age.set(totals.silent_for.unwrap_or_default().as_secs_f64());
        self.reclaims.inc_by(totals.reclaim_count.saturating_sub(self.reclaims.get()));
        // A queue that is empty is not there any more.
        self.depth.clear();
        self.oldest_age.clear();
        let mut queues: Vec<_> = totals.queues.iter().collect();
        queues.sort_by_key(|(_, total)| std::cmp::Reverse(total.depth));
        for (place, (name, total)) in queues.into_iter().enumerate() {
            let queue = if place < QUEUE_COUNT_MAX { name.clone() } else { "other".to_owned() };
            let labels = QueueLabels { queue };
            let depth = i64::try_from(total.depth).unwrap_or(i64::MAX);
            self.depth.get_or_create(&labels).inc_by(depth);
            let (age, known) =
                (now.since(total.oldest).as_secs_f64(), self.oldest_age.get_or_create(&labels));
            known.set(known.get().max(age));
        }
    }
}
