//! What is counted, for Prometheus. Names are part of the outside contract.

mod elsewhere;
mod names;
mod nodes;
mod older;
mod queues;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use windlass_core::run::{Fact, FlowWord, TaskWord};
use windlass_engine::Engine;
use windlass_engine::shard::Published;
use windlass_store::Spent;

use self::elsewhere::Elsewhere;
use self::names::Names;
use self::nodes::Nodes;
pub use self::older::as_text;
use self::queues::Queues;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    workflow: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    method: String,
    status: u16,
}

/// Seconds since a start that only grows, as a float counter.
type Seconds = Counter<f64, AtomicU64>;

/// All metrics of this process.
pub struct Metrics {
    registry: Registry,
    runs_begun: Counter,
    runs: Family<RunLabels, Counter>,
    run_seconds: Histogram,
    steps: Family<StepLabels, Counter>,
    attempts_failed: Counter,
    attempts_interrupted: Counter,
    log_lines: Counter,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Histogram,
    streams: Gauge,
    looked_at: LookedAt,
    nodes: Nodes,
    elsewhere: Elsewhere,
    queues: Queues,
    workflows: Names,
    rendering: Mutex<()>,
}

/// What is asked for when somebody looks, instead of being counted.
#[derive(Default)]
struct LookedAt {
    live_runs: Gauge,
    attempts: Gauge,
    watchers: Gauge,
    can_write: Gauge,
    transactions: Counter,
    commits: Commits,
    rows_seconds: Seconds,
    sync_seconds: Seconds,
    decide_seconds: Seconds,
    serialise_seconds: Seconds,
}

/// How long commits took as a whole. The store knows their number and their sum.
#[derive(Clone, Debug, Default)]
struct Commits(Arc<Mutex<Spent>>);

impl Collector for Commits {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let spent = *self.0.lock();
        let all = spent.rows + spent.sync;
        let (seconds, count) = (all.as_secs_f64(), spent.transaction_count);
        let help = "Commits, from their first row until they are durable";
        let unit = Some(&Unit::Seconds);
        let mut encoder =
            encoder.encode_descriptor("db_transaction", help, unit, MetricType::Histogram)?;
        encoder.encode_histogram::<NoLabelSet>(seconds, count, &[(f64::INFINITY, count)], None)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// A stream that is being listened to.
#[derive(Debug)]
pub struct StreamCount(Arc<Metrics>);

impl Drop for StreamCount {
    fn drop(&mut self) {
        self.0.streams.dec();
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

fn durations() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0, 3_600.0, 86_400.0])
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("windlass");
        let metrics = Metrics {
            registry: Registry::default(),
            runs_begun: Counter::default(),
            runs: Family::default(),
            run_seconds: durations(),
            steps: Family::default(),
            attempts_failed: Counter::default(),
            attempts_interrupted: Counter::default(),
            log_lines: Counter::default(),
            requests: Family::default(),
            request_seconds: durations(),
            streams: Gauge::default(),
            looked_at: LookedAt::default(),
            nodes: Nodes::default(),
            elsewhere: Elsewhere::default(),
            queues: Queues::default(),
            workflows: Names::default(),
            rendering: Mutex::default(),
        };
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        metrics.register_runs(&mut registry);
        metrics.nodes.register(&mut registry);
        metrics.queues.register(&mut registry);
        metrics.elsewhere.register(&mut registry);
        metrics.register_rest(&mut registry);
        Metrics { registry, ..metrics }
    }

    fn register_runs(&self, registry: &mut Registry) {
        registry.register("runs_begun", "Runs that came up", self.runs_begun.clone());
        registry.register("runs", "Runs that ended, by workflow and status", self.runs.clone());
        registry.register_with_unit(
            "run_duration",
            "From a run's beginning to its end",
            Unit::Seconds,
            self.run_seconds.clone(),
        );
        registry.register("steps", "Steps that ended, by status", self.steps.clone());
        registry.register(
            "attempts_failed",
            "Attempts that failed and were to be repeated",
            self.attempts_failed.clone(),
        );
        registry.register(
            "attempts_interrupted",
            "Attempts that were lost with a server",
            self.attempts_interrupted.clone(),
        );
        registry.register("log_lines", "Log lines of steps", self.log_lines.clone());
    }

    fn register_rest(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests answered", self.requests.clone());
        let help = "From a request's head to its answer's head";
        let seconds = self.request_seconds.clone();
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, seconds);
        registry.register("stream_clients", "Who listens to a stream", self.streams.clone());
        registry.register_collector(Box::new(self.looked_at.commits.clone()));
        let now = &self.looked_at;
        registry.register("live_runs", "Runs in memory", now.live_runs.clone());
        let help = "Attempts being made or waiting for their turn";
        registry.register("attempts", help, now.attempts.clone());
        registry.register("run_watchers", "Who watches a run", now.watchers.clone());
        registry.register("can_write", "1 while commits succeed", now.can_write.clone());
        registry.register("db_transactions", "Commits", now.transactions.clone());
        let help = "Writing rows of commits";
        registry.register_with_unit("db_rows", help, Unit::Seconds, now.rows_seconds.clone());
        let help = "Deciding what follows, and folding it";
        registry.register_with_unit("decide", help, Unit::Seconds, now.decide_seconds.clone());
        let help = "Turning events and rows into texts";
        let seconds = now.serialise_seconds.clone();
        registry.register_with_unit("serialise", help, Unit::Seconds, seconds);
        let help = "Making commits durable";
        registry.register_with_unit("db_sync", help, Unit::Seconds, now.sync_seconds.clone());
    }

    /// Counts what has become durable.
    pub fn observe(&self, published: &Published) {
        for numbered in &published.events {
            match &numbered.event.fact {
                Fact::RunCreated(_) => drop(self.runs_begun.inc()),
                Fact::AttemptFailed { .. } => drop(self.attempts_failed.inc()),
                Fact::AttemptInterrupted { .. } => drop(self.attempts_interrupted.inc()),
                Fact::StepSucceeded { .. } => self.step("succeeded"),
                Fact::StepFailed { .. } => self.step("failed"),
                Fact::StepSkipped { .. } => self.step("skipped"),
                Fact::StepCancelled { .. } => self.step("cancelled"),
                Fact::TaskSeen { seen, .. } => {
                    if let TaskWord::Ended(end) = seen.what {
                        self.step(end.as_str());
                    }
                }
                Fact::FlowSeen { seen } if seen.what == FlowWord::Ended => {
                    self.run(published, published.status.as_str(), seen.at);
                }
                Fact::Inferred { what, .. } => {
                    self.elsewhere.infer(*what);
                    if what.is_end() {
                        self.run(published, published.status.as_str(), numbered.event.at);
                    }
                }
                Fact::RunSucceeded { .. } => self.run(published, "succeeded", numbered.event.at),
                Fact::RunFailed { .. } => self.run(published, "failed", numbered.event.at),
                Fact::RunCancelled { .. } => self.run(published, "cancelled", numbered.event.at),
                _ => {}
            }
        }
        self.log_lines.inc_by(published.logs.len() as u64);
        self.nodes.observe(&published.measured);
    }

    fn step(&self, status: &'static str) {
        self.steps.get_or_create(&StepLabels { status }).inc();
    }

    fn run(&self, published: &Published, status: &'static str, at: windlass_core::Time) {
        let workflow = self.workflows.label(&published.workflow);
        self.runs.get_or_create(&RunLabels { workflow, status }).inc();
        if let Some(started_at) = published.started_at {
            self.run_seconds.observe(at.since(started_at).as_secs_f64());
        }
    }

    /// Counts a request.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let labels = RequestLabels { route: route.to_owned(), method: method.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    /// Counts a stream as long as the answer is kept.
    pub fn stream(self: &Arc<Metrics>) -> StreamCount {
        self.streams.inc();
        StreamCount(self.clone())
    }

    /// Everything, in the format of OpenMetrics.
    pub fn render(&self, engine: &Engine) -> String {
        // What is looked at is of one moment, whoever else looks.
        let _alone = self.rendering.lock();
        let (health, spent, decided) = (engine.health(), engine.store().spent(), engine.spent());
        let now = &self.looked_at;
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.queues.look(&engine.desk().totals(), engine.clock().now());
        *now.commits.0.lock() = spent;
        now.live_runs.set(gauge(health.live_run_count));
        now.attempts.set(gauge(health.attempt_count));
        now.watchers.set(gauge(engine.feed().watcher_count()));
        now.can_write.set(i64::from(health.can_write));
        now.transactions.inc_by(spent.transaction_count.saturating_sub(now.transactions.get()));
        for (counter, total) in [
            (&now.rows_seconds, spent.rows),
            (&now.sync_seconds, spent.sync),
            (&now.decide_seconds, decided.decide),
            (&now.serialise_seconds, decided.serialise),
        ] {
            counter.inc_by((total.as_secs_f64() - counter.get()).max(0.0));
        }
        let mut page = String::new();
        // Writing to a text cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}
