use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_store::{RunGlance, ScanFilter, Store, StoreError, UsageFilter};

use super::RUNS_MAX;
use super::series::{BucketBody, Series, took};
use super::span::Span;
use super::spread::Spread;

/// Workflows that one answer lists: those with the most runs.
const WORKFLOWS_MAX: usize = 1_000;
/// Rows of usage that are added up.
const USAGE_MAX: usize = 100_000;

/// How workflows have fared.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkflowsReport {
    /// From when on, RFC 3339.
    #[schema(format = DateTime)]
    pub from: String,
    /// Up to when.
    #[schema(format = DateTime)]
    pub to: String,
    /// How long a bucket of the series is: `hour` or `day`.
    pub interval: &'static str,
    /// Runs that were created in that time.
    pub total_executions: u64,
    /// How many of them stand where now. Statuses without runs are left out.
    pub by_status: BTreeMap<&'static str, u64>,
    /// The share of those that succeeded or failed that has succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// How long those that are over took on average, in milliseconds, from their start.
    pub avg_duration_ms: Option<u64>,
    /// How long half of them took at most.
    pub p50_ms: Option<u64>,
    /// How long 95 of 100 took at most.
    pub p95_ms: Option<u64>,
    /// How long 99 of 100 took at most.
    pub p99_ms: Option<u64>,
    /// Tokens that models took and gave on those days (UTC).
    pub total_tokens: i64,
    /// What that cost, in US dollars, by the prices in the server's settings.
    pub total_cost: f64,
    /// By workflow, those with the most runs first, at most 1,000.
    pub workflows: Vec<WorkflowReport>,
    /// Over time.
    pub series: Vec<BucketBody>,
    /// Whether there were more runs than are looked at: 1,000,000, the newest ones.
    pub is_cut: bool,
}

/// How a workflow has fared.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkflowReport {
    /// Its id.
    pub workflow_id: Uuid,
    /// Its name.
    pub name: String,
    /// Its runs.
    pub executions: u64,
    /// How many have succeeded.
    pub completed: u64,
    /// How many have failed.
    pub failed: u64,
    /// How many were cancelled.
    pub cancelled: u64,
    /// The share of those that succeeded or failed that has succeeded, 0 to 1.
    pub success_rate: Option<f64>,
    /// How long those that are over took on average, in milliseconds.
    pub avg_duration_ms: Option<u64>,
    /// How long 95 of 100 of them took at most.
    pub p95_ms: Option<u64>,
    /// When the newest was created, RFC 3339.
    #[schema(format = DateTime)]
    pub last_run_at: String,
}

/// What has become of runs.
#[derive(Debug, Default)]
pub(super) struct Fates {
    pub(super) by_status: BTreeMap<&'static str, u64>,
    pub(super) durations: Spread,
    newest: Option<Time>,
}

impl Fates {
    pub(super) fn add(&mut self, run: &RunGlance) {
        *self.by_status.entry(run.status.as_str()).or_default() += 1;
        self.newest = self.newest.max(Some(run.created_at));
        if let Some(took) = took(run).filter(|_| run.status.is_terminal()) {
            self.durations.add(took);
        }
    }

    pub(super) fn of(&self, status: RunStatus) -> u64 {
        self.by_status.get(status.as_str()).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> u64 {
        self.by_status.values().sum()
    }

    pub(super) fn success_rate(&self) -> Option<f64> {
        // Who cancels a run says nothing of how it fared.
        let good = self.of(RunStatus::Succeeded);
        let over = good + self.of(RunStatus::Failed);
        (over > 0).then(|| good as f64 / over as f64)
    }

    fn report(mut self, workflow_id: Uuid, name: String) -> WorkflowReport {
        WorkflowReport {
            workflow_id,
            name,
            executions: self.total(),
            completed: self.of(RunStatus::Succeeded),
            failed: self.of(RunStatus::Failed),
            cancelled: self.of(RunStatus::Cancelled),
            success_rate: self.success_rate(),
            avg_duration_ms: self.durations.average(),
            p95_ms: self.durations.percentile(0.95),
            last_run_at: self.newest.map(|at| at.to_string()).unwrap_or_default(),
        }
    }
}

/// How the workflows of a project, or one of them, have fared.
///
/// # Errors
///
/// If the store cannot be read.
pub fn report(
    store: &dyn Store,
    project: &str,
    workflow: Option<(Uuid, &str)>,
    span: Span,
) -> Result<WorkflowsReport, StoreError> {
    let filter = ScanFilter {
        workflow_id: workflow.map(|(id, _)| id),
        from: Some(span.from),
        until: Some(span.until),
    };
    let (mut all, mut series) = (Fates::default(), Series::new(span));
    let mut by_workflow: HashMap<Uuid, (String, Fates)> = HashMap::new();
    let is_cut = store.scan_runs(project, &filter, RUNS_MAX, &mut |run: RunGlance| {
        all.add(&run);
        series.add(&run);
        // The newest come first, and with them the name of today.
        let known = by_workflow.entry(run.workflow_id);
        known.or_insert_with(|| (run.workflow.clone(), Fates::default())).1.add(&run);
    })?;
    let mut workflows: Vec<WorkflowReport> =
        by_workflow.into_iter().map(|(id, (name, fates))| fates.report(id, name)).collect();
    workflows.sort_by(|a, b| b.executions.cmp(&a.executions).then_with(|| a.name.cmp(&b.name)));
    workflows.truncate(WORKFLOWS_MAX);
    let usage = UsageFilter {
        workflow: workflow.map(|(_, name)| name.to_owned()),
        from_day: windlass_engine::day_of(span.from),
        to_day: windlass_engine::day_of(Time::from_micros(span.until.micros() - 1)),
        by_hour: false,
    };
    let usage = store.usage(project, &usage, USAGE_MAX)?;
    let tokens = usage.iter().map(|row| row.taken.input_tokens + row.taken.output_tokens);
    let micros: i64 = usage.iter().map(|row| row.taken.cost_micros).sum();
    Ok(WorkflowsReport {
        from: span.from.to_string(),
        to: span.until.to_string(),
        interval: span.interval.as_str(),
        total_executions: all.total(),
        success_rate: all.success_rate(),
        avg_duration_ms: all.durations.average(),
        p50_ms: all.durations.percentile(0.5),
        p95_ms: all.durations.percentile(0.95),
        p99_ms: all.durations.percentile(0.99),
        by_status: all.by_status,
        total_tokens: tokens.sum(),
        total_cost: micros as f64 / 1e6,
        workflows,
        series: series.told(),
        is_cut,
    })
}
