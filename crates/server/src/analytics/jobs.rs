use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_store::{KindSum, RunGlance, ScanFilter, Store, StoreError};

use super::RUNS_MAX;
use super::errors::{ErrorBody, Errors};
use super::series::{BucketBody, Series, took};
use super::span::Span;
use super::spread::Spread;
use super::workflows::Fates;

/// Runs whose steps are added up, the newest ones.
const RUNS_WITH_STEPS_MAX: usize = 20_000;
/// Slow runs that are listed.
const SLOWEST: usize = 10;
/// Kinds of error that are listed.
const ERRORS: usize = 20;

/// How runs have fared.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct JobsReport {
    /// From when on, RFC 3339.
    #[schema(format = DateTime)]
    pub from: String,
    /// Up to when.
    #[schema(format = DateTime)]
    pub to: String,
    /// How long a bucket of the series is: `hour` or `day`.
    pub interval: &'static str,
    /// Runs that were created in that time.
    pub total: u64,
    /// How many of them stand where now. Statuses without runs are left out.
    pub by_status: BTreeMap<&'static str, u64>,
    /// The share of those that succeeded or failed that has succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// How long those that are over took, in milliseconds, from their start.
    pub duration_ms: SpreadBody,
    /// How long they waited for their start.
    pub queue_wait_ms: SpreadBody,
    /// By kind of node, of the newest 20,000 of these runs; those with the most steps first.
    pub node_types: Vec<NodeTypeBody>,
    /// The runs that took longest, at most 10.
    pub slowest: Vec<SlowBody>,
    /// Errors that are the same but for numbers and ids, the most frequent first, at most 20.
    pub errors: Vec<ErrorBody>,
    /// Runs that failed with other errors.
    pub other_errors: u64,
    /// Over time.
    pub series: Vec<BucketBody>,
    /// Whether there were more runs than are looked at: 1,000,000, the newest ones.
    pub is_cut: bool,
}

/// How long things took, in milliseconds. Null without any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct SpreadBody {
    /// On average.
    pub avg: Option<u64>,
    /// Half of them at most.
    pub p50: Option<u64>,
    /// 95 of 100 at most.
    pub p95: Option<u64>,
    /// 99 of 100 at most.
    pub p99: Option<u64>,
}

impl From<Spread> for SpreadBody {
    fn from(mut spread: Spread) -> SpreadBody {
        SpreadBody {
            avg: spread.average(),
            p50: spread.percentile(0.5),
            p95: spread.percentile(0.95),
            p99: spread.percentile(0.99),
        }
    }
}

/// Steps of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NodeTypeBody {
    /// The kind of node.
    #[serde(rename = "type")]
    pub type_: String,
    /// How many steps.
    pub runs: u64,
    /// How many have failed.
    pub failed: u64,
    /// How long those that began and ended took on average.
    pub avg_duration_ms: Option<u64>,
}

impl From<KindSum> for NodeTypeBody {
    fn from(sum: KindSum) -> NodeTypeBody {
        let millis = u64::try_from(sum.total.as_millis()).unwrap_or(u64::MAX);
        NodeTypeBody {
            type_: sum.kind,
            runs: sum.steps,
            failed: sum.failed,
            avg_duration_ms: millis.checked_div(sum.timed),
        }
    }
}

/// A slow run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SlowBody {
    /// The run.
    pub id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// Where it stands.
    pub status: &'static str,
    /// When it was created, RFC 3339.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl From<&RunGlance> for SlowBody {
    fn from(run: &RunGlance) -> SlowBody {
        let millis = took(run).unwrap_or_default().as_millis();
        SlowBody {
            id: run.run_id,
            workflow: run.workflow.clone(),
            status: run.status.as_str(),
            created_at: run.created_at.to_string(),
            duration_ms: u64::try_from(millis).unwrap_or(u64::MAX),
        }
    }
}

/// The slowest runs so far.
#[derive(Default)]
struct Slowest {
    /// The fastest of them on top.
    times: BinaryHeap<Reverse<(Duration, Time, Uuid)>>,
    runs: Vec<RunGlance>,
}

impl Slowest {
    fn add(&mut self, run: &RunGlance) {
        let Some(took) = took(run) else { return };
        let is_slow = self.times.len() < SLOWEST
            || self.times.peek().is_some_and(|Reverse((fastest, ..))| took > *fastest);
        if !is_slow {
            return;
        }
        if self.times.len() == SLOWEST
            && let Some(Reverse((.., gone))) = self.times.pop()
        {
            self.runs.retain(|run| run.run_id != gone);
        }
        self.times.push(Reverse((took, run.created_at, run.run_id)));
        self.runs.push(run.clone());
    }

    fn told(mut self) -> Vec<SlowBody> {
        self.runs.sort_by_key(|run| Reverse(took(run)));
        self.runs.iter().map(SlowBody::from).collect()
    }
}

/// How the runs of a project, or of one of its workflows, have fared.
///
/// # Errors
///
/// If the store cannot be read.
pub fn report(
    store: &dyn Store,
    project: &str,
    workflow_id: Option<Uuid>,
    span: Span,
) -> Result<JobsReport, StoreError> {
    let filter = ScanFilter { workflow_id, from: Some(span.from), until: Some(span.until) };
    let (mut fates, mut series) = (Fates::default(), Series::new(span));
    let (mut waits, mut errors, mut slowest) =
        (Spread::default(), Errors::default(), Slowest::default());
    let is_cut = store.scan_runs(project, &filter, RUNS_MAX, &mut |run: RunGlance| {
        fates.add(&run);
        series.add(&run);
        errors.add(&run);
        slowest.add(&run);
        if let Some(started) = run.started_at {
            waits.add(started.since(run.created_at));
        }
    })?;
    let mut kinds = store.kinds_of_steps(project, &filter, RUNS_WITH_STEPS_MAX)?;
    kinds.sort_by(|a, b| b.steps.cmp(&a.steps).then_with(|| a.kind.cmp(&b.kind)));
    let (errors, other_errors) = errors.told(ERRORS);
    Ok(JobsReport {
        from: span.from.to_string(),
        to: span.until.to_string(),
        interval: span.interval.as_str(),
        total: fates.total(),
        success_rate: fates.success_rate(),
        by_status: fates.by_status,
        duration_ms: fates.durations.into(),
        queue_wait_ms: waits.into(),
        node_types: kinds.into_iter().map(NodeTypeBody::from).collect(),
        slowest: slowest.told(),
        errors,
        other_errors,
        series: series.told(),
        is_cut,
    })
}
