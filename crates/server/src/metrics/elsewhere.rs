//! What is counted of runs that are driven elsewhere, and of runs that are kept elsewhere.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use windlass_core::run::Inferred;
use windlass_engine::Archive;
use windlass_store::RunRow;

use super::Metrics;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// Words about runs of other programs, and what was made of their silence; runs for the archive.
#[derive(Default)]
pub(super) struct Elsewhere {
    events: Family<OutcomeLabels, Counter>,
    inferred: Family<ReasonLabels, Counter>,
    archived: Family<OutcomeLabels, Counter>,
}

impl Elsewhere {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Events of other programs that were accepted or rejected";
        registry.register("observed_events", help, self.events.clone());
        let help = "What was made of the silence of other programs, by reason";
        registry.register("runs_inferred", help, self.inferred.clone());
        let help = "Runs that the archive was to keep before they are deleted";
        registry.register("archive_runs", help, self.archived.clone());
        // What has never happened is to be seen, so that its first time is a change.
        for outcome in ["accepted", "rejected"] {
            let _ = self.events.get_or_create(&OutcomeLabels { outcome });
        }
        for outcome in ["kept", "failed"] {
            let _ = self.archived.get_or_create(&OutcomeLabels { outcome });
        }
    }

    pub(super) fn infer(&self, what: Inferred) {
        self.inferred.get_or_create(&ReasonLabels { reason: what.as_str() }).inc();
    }
}

impl Metrics {
    /// Counts what other programs have said.
    pub fn heard(&self, accepted: usize, rejected: usize) {
        for (outcome, count) in [("accepted", accepted), ("rejected", rejected)] {
            self.elsewhere.events.get_or_create(&OutcomeLabels { outcome }).inc_by(count as u64);
        }
    }

    /// The same archive, with what it keeps counted.
    pub fn count_archive(self: &Arc<Metrics>, archive: Arc<dyn Archive>) -> Arc<dyn Archive> {
        Arc::new(Counted { archive, metrics: self.clone() })
    }
}

struct Counted {
    archive: Arc<dyn Archive>,
    metrics: Arc<Metrics>,
}

impl Archive for Counted {
    fn keep(&self, runs: &[RunRow]) -> Result<(), String> {
        let kept = self.archive.keep(runs);
        let outcome = if kept.is_ok() { "kept" } else { "failed" };
        let counter = self.metrics.elsewhere.archived.get_or_create(&OutcomeLabels { outcome });
        counter.inc_by(runs.len() as u64);
        kept
    }
}
