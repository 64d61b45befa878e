//! What nodes took: attempts, waits, and calls to models.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use windlass_engine::shard::Measured;
use windlass_store::Taken;

use super::durations;
use super::names::Names;

/// Millionths of a dollar.
const MICROS: f64 = 1_000_000.0;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabels {
    r#type: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    model: String,
    direction: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Durations;

impl MetricConstructor<Histogram> for Durations {
    fn new_metric(&self) -> Histogram {
        durations()
    }
}

pub(super) struct Nodes {
    seconds: Family<NodeLabels, Histogram, Durations>,
    queue_seconds: Histogram,
    tokens: Family<ModelLabels, Counter>,
    dollars: Counter<f64, AtomicU64>,
    kinds: Names,
    models: Names,
}

impl Default for Nodes {
    fn default() -> Nodes {
        Nodes {
            seconds: Family::new_with_constructor(Durations),
            queue_seconds: durations(),
            tokens: Family::default(),
            dollars: Counter::default(),
            kinds: Names::default(),
            models: Names::default(),
        }
    }
}

impl Nodes {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Attempts at steps, from their beginning to their end, by the node's type";
        registry.register_with_unit("node_duration", help, Unit::Seconds, self.seconds.clone());
        let help = "From a step's turn to the beginning of its first attempt";
        registry.register_with_unit("node_queue", help, Unit::Seconds, self.queue_seconds.clone());
        let help = "Tokens that models were sent (input) and that they answered (output)";
        registry.register("llm_tokens", help, self.tokens.clone());
        let help = "What calls to models have cost that have a price, in US dollars";
        registry.register("llm_cost_dollars", help, self.dollars.clone());
    }

    pub(super) fn observe(&self, measured: &Measured) {
        for attempt in &measured.attempts {
            let status = if attempt.has_succeeded { "succeeded" } else { "failed" };
            let labels = NodeLabels { r#type: self.kinds.label(&attempt.kind), status };
            self.seconds.get_or_create(&labels).observe(attempt.took.as_secs_f64());
        }
        for wait in &measured.waits {
            self.queue_seconds.observe(wait.as_secs_f64());
        }
        for (model, taken) in &measured.taken {
            self.taken(model, taken);
        }
    }

    /// What is only held for a call that goes on counts once it is over.
    fn taken(&self, model: &str, taken: &Taken) {
        let tokens = [("input", taken.input_tokens), ("output", taken.output_tokens)];
        for (direction, count) in tokens {
            if let Some(count) = u64::try_from(count).ok().filter(|count| *count > 0) {
                let labels = ModelLabels { model: self.models.label(model), direction };
                self.tokens.get_or_create(&labels).inc_by(count);
            }
        }
        self.dollars.inc_by(taken.cost_micros.max(0) as f64 / MICROS);
    }
}
