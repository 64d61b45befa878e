//! `/analytics`: how workflows have fared, as charts and tables.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_core::Time;
use windlass_store::Store;

use super::chart::{Chart, bars, easy, line};
use super::error::PageProblem;
use super::flows::percent;
use super::names;
use super::render::{Me, Moment, moment, page_for, took};
use super::runs::short_id;
use crate::access::Caller;
use crate::analytics::errors::ErrorBody;
use crate::analytics::jobs::{self, JobsReport, NodeTypeBody, SlowBody};
use crate::analytics::series::BucketBody;
use crate::analytics::span::{Interval, Span};
use crate::analytics::workflows::{self, WorkflowReport, WorkflowsReport};
use crate::api::analytics::meant;
use crate::api::analytics::usage::{self, UsageReport};
use crate::api::query::Asked;
use crate::api::usage::UsageSums;
use crate::app::Shared;
use crate::client::segment;

/// The stretches that are offered, and what people call them.
const STRETCHES: [(&str, &str, i64); 4] = [
    ("24h", "24 hours", 24),
    ("7d", "7 days", 168),
    ("30d", "30 days", 720),
    ("90d", "90 days", 2_160),
];

/// Workflows that the page lists.
const WORKFLOWS_SHOWN: usize = 25;

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// One of [`STRETCHES`].
    since: Option<String>,
    /// The workflow's name.
    workflow: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    since: &'static str,
    stretches: Vec<(&'static str, &'static str)>,
    workflow: String,
    workflows: Vec<String>,
    facts: Vec<(&'static str, String)>,
    is_empty: bool,
    is_cut: bool,
    charts: Vec<Chart>,
    table: Vec<Fared>,
    kinds: Vec<Kind>,
    slowest: Vec<Slow>,
    errors: Vec<Wrong>,
    other_errors: u64,
}

#[derive(Serialize)]
struct Fared {
    name: String,
    href: String,
    runs_href: String,
    executions: u64,
    failed: u64,
    rate: Option<String>,
    average: Option<String>,
    p95: Option<String>,
}

#[derive(Serialize)]
struct Kind {
    kind: String,
    steps: u64,
    failed: u64,
    average: Option<String>,
}

#[derive(Serialize)]
struct Slow {
    id: String,
    short_id: String,
    workflow: String,
    status: &'static str,
    created: Option<Moment>,
    took: String,
}

#[derive(Serialize)]
struct Wrong {
    message: String,
    count: u64,
    /// Runs that failed in that time: of its workflow, if it is of one.
    runs_href: String,
    /// The workflows, and their runs that failed in that time.
    workflows: Vec<(String, String)>,
    last_run: String,
    last: Option<Moment>,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let wanted = query.since.as_deref().unwrap_or_default();
    let stretch = STRETCHES.iter().find(|(word, ..)| *word == wanted).unwrap_or(&STRETCHES[1]);
    let until = app.engine.clock().now();
    let from = Time::from_micros(until.micros() - stretch.2 * 3_600_000_000);
    let interval = if stretch.2 <= 24 { Interval::Hour } else { Interval::Day };
    let span = Span { from, until, interval };
    let (project, workflow) = (caller.project().to_owned(), query.workflow.clone());
    let read = move |store: &dyn Store| {
        let workflow = meant(store, &project, workflow.as_deref())?;
        let (id, name) =
            (workflow.as_ref().map(|it| it.0), workflow.as_ref().map(|it| it.1.clone()));
        let named = workflow.as_ref().map(|(id, name)| (*id, name.as_str()));
        Ok((
            workflows::report(store, &project, named, span)?,
            jobs::report(store, &project, id, span)?,
            usage::report(store, &project, name, &span)?,
            store.workflows(&project, None, 1_000)?.items,
        ))
    };
    let (fared, ran, used, all) = app.engine.read(read).await?;
    let fared_of = |one| Fared::of(one, stretch.0);
    let context = Context {
        nav: "analytics",
        title: "Charts",
        since: stretch.0,
        stretches: STRETCHES.iter().map(|(word, name, _)| (*word, *name)).collect(),
        workflow: query.workflow.unwrap_or_default(),
        workflows: names::of(all),
        facts: facts(&fared, &ran, &used),
        is_empty: fared.total_executions == 0,
        is_cut: fared.is_cut,
        charts: charts(&fared, &used, interval),
        table: fared.workflows.into_iter().take(WORKFLOWS_SHOWN).map(fared_of).collect(),
        kinds: ran.node_types.into_iter().map(Kind::from).collect(),
        slowest: ran.slowest.into_iter().map(Slow::from).collect(),
        errors: ran.errors.into_iter().map(|error| Wrong::of(error, stretch.0)).collect(),
        other_errors: ran.other_errors,
    };
    Ok(page_for("analytics.html", &Me::of(&app, &caller), context).into_response())
}

fn millis(millis: u64) -> String {
    took(std::time::Duration::from_millis(millis))
}

fn facts(
    fared: &WorkflowsReport,
    ran: &JobsReport,
    used: &UsageReport,
) -> Vec<(&'static str, String)> {
    let of = |status: &str| fared.by_status.get(status).copied().unwrap_or_default();
    let over = of("succeeded") + of("failed");
    let none = || "–".to_owned();
    let told = |value: Option<u64>| value.map_or_else(none, millis);
    let mut facts = vec![
        ("Runs", fared.total_executions.to_string()),
        ("Succeeded", if over == 0 { none() } else { percent(of("succeeded"), over) }),
        ("Failed", of("failed").to_string()),
        ("Half took at most", told(fared.p50_ms)),
        ("95 of 100 took at most", told(fared.p95_ms)),
        ("Waited for their start, 95 of 100", told(ran.queue_wait_ms.p95)),
    ];
    if fared.total_tokens > 0 {
        facts.push(("Tokens", fared.total_tokens.to_string()));
        facts.push(("Cost", cost_told(&used.total, fared.total_cost)));
    }
    facts
}

/// A cost, if anybody has written down what any of it costs.
fn cost_told(used: &UsageSums, cost: f64) -> String {
    let is_priced = used.unpriced_calls < used.calls || used.calls == 0;
    if is_priced || cost > 0.0 { dollars(cost) } else { "no price".to_owned() }
}

fn dollars(amount: f64) -> String {
    if amount > 0.0 && amount < 0.01 { "< $0.01".to_owned() } else { format!("${amount:.2}") }
}

/// What a bucket is called that begins then.
fn when(begin: &str, interval: Interval) -> String {
    let part = match interval {
        Interval::Hour => begin.get(11..16),
        Interval::Day => begin.get(..10),
    };
    part.unwrap_or_default().to_owned()
}

fn charts(fared: &WorkflowsReport, used: &UsageReport, interval: Interval) -> Vec<Chart> {
    let series = &fared.series;
    let names: Vec<String> = series.iter().map(|one| when(&one.bucket, interval)).collect();
    let mut charts = vec![
        throughput(series, &names, fared.total_executions),
        success(series, &names, fared),
        durations(series, &names, fared),
    ];
    // Of nothing that anybody knows there is nothing to draw.
    if used.total.calls > used.total.unpriced_calls {
        charts.push(cost(used, interval));
    }
    charts
}

fn below(names: &[String]) -> Vec<String> {
    match names {
        [] => Vec::new(),
        [one] => vec![one.clone()],
        [first, .., last] if names.len() < 5 => vec![first.clone(), last.clone()],
        [first, .., last] => {
            vec![first.clone(), names[names.len() / 2].clone(), last.clone()]
        }
    }
}

fn throughput(series: &[BucketBody], names: &[String], total: u64) -> Chart {
    let column = |(bucket, name): (&BucketBody, &String)| {
        let over = bucket.completed + bucket.failed + bucket.cancelled;
        let told = format!(
            "{name}: {} runs, {} succeeded, {} failed",
            bucket.started, bucket.completed, bucket.failed
        );
        let parts = vec![
            ("succeeded", bucket.completed as f64),
            ("failed", bucket.failed as f64),
            ("cancelled", bucket.cancelled as f64),
            ("running", bucket.started.saturating_sub(over) as f64),
        ];
        (told, parts)
    };
    let (bars, top) = bars(series.iter().zip(names).map(column).collect(), easy);
    Chart {
        id: "throughput",
        title: "Runs",
        sum: format!("{total} in all"),
        told: format!("{total} runs over time, by what became of them"),
        top: format!("{top}"),
        places: series.len(),
        bars,
        lines: Vec::new(),
        below: below(names),
        legend: vec![
            ("succeeded", "succeeded"),
            ("failed", "failed"),
            ("cancelled", "cancelled"),
            ("running", "going on"),
        ],
    }
}

fn success(series: &[BucketBody], names: &[String], fared: &WorkflowsReport) -> Chart {
    let share = |bucket: &BucketBody| {
        let over = bucket.completed + bucket.failed;
        (over > 0).then(|| bucket.completed as f64 * 100.0 / over as f64)
    };
    let values: Vec<Option<f64>> = series.iter().map(share).collect();
    let sum =
        fared.success_rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
    Chart {
        id: "success",
        title: "Success rate",
        told: format!("The share of runs that succeeded over time; {sum} in all"),
        sum: format!("{sum} in all"),
        top: "100 %".to_owned(),
        places: series.len(),
        bars: Vec::new(),
        lines: vec![line("succeeded", &values, 100.0)],
        below: below(names),
        legend: Vec::new(),
    }
}

fn durations(series: &[BucketBody], names: &[String], fared: &WorkflowsReport) -> Chart {
    let of = |pick: fn(&BucketBody) -> Option<u64>| -> Vec<Option<f64>> {
        series.iter().map(|bucket| pick(bucket).map(|millis| millis as f64)).collect()
    };
    let (average, slow) = (of(|bucket| bucket.avg_duration_ms), of(|bucket| bucket.p95_ms));
    let top = easy(slow.iter().chain(&average).flatten().copied().fold(0.0, f64::max));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no number is so large"
    )]
    let top_told = millis(top as u64);
    let sum = fared.p95_ms.map_or_else(|| "–".to_owned(), millis);
    Chart {
        id: "duration",
        title: "Duration",
        told: format!("How long runs took over time; 95 of 100 at most {sum}"),
        sum: format!("95 of 100 at most {sum}"),
        top: top_told,
        places: series.len(),
        bars: Vec::new(),
        lines: vec![line("waiting", &slow, top), line("running", &average, top)],
        below: below(names),
        legend: vec![("running", "on average"), ("waiting", "95 of 100 at most")],
    }
}

fn cost(used: &UsageReport, interval: Interval) -> Chart {
    let column = |one: &usage::UsageBucket| {
        let (sums, begin) = (&one.sums, when(&one.bucket, interval));
        let tokens = sums.input_tokens + sums.output_tokens;
        let cost = cost_told(sums, sums.cost_usd);
        (format!("{begin}: {cost}, {tokens} tokens"), vec![("queued", sums.cost_usd)])
    };
    let names: Vec<String> = used.series.iter().map(|one| when(&one.bucket, interval)).collect();
    let word = interval.as_str();
    let (bars, top) = bars(used.series.iter().map(column).collect(), easy);
    let sum = cost_told(&used.total, used.total.cost_usd);
    Chart {
        id: "cost",
        title: if interval == Interval::Hour {
            "Cost of models per hour"
        } else {
            "Cost of models per day"
        },
        told: format!("What models cost by {word}; {sum} in all"),
        sum: format!("{sum} in all"),
        top: dollars(top),
        places: used.series.len(),
        bars,
        lines: Vec::new(),
        below: below(&names),
        legend: Vec::new(),
    }
}

/// Where the runs of a workflow are, or those of all, that were created in a stretch.
fn runs_href(workflow: Option<&str>, since: &str) -> String {
    let workflow = workflow.map(|name| format!("workflow={}&", segment(name)));
    format!("/runs?{}since={since}", workflow.unwrap_or_default())
}

impl Fared {
    fn of(one: WorkflowReport, since: &str) -> Fared {
        let over = one.completed + one.failed;
        Fared {
            href: format!("/workflows/{}", segment(&one.name)),
            runs_href: runs_href(Some(&one.name), since),
            name: one.name,
            executions: one.executions,
            failed: one.failed,
            rate: (over > 0).then(|| percent(one.completed, over)),
            average: one.avg_duration_ms.map(millis),
            p95: one.p95_ms.map(millis),
        }
    }
}

impl From<NodeTypeBody> for Kind {
    fn from(one: NodeTypeBody) -> Kind {
        Kind {
            kind: one.type_,
            steps: one.runs,
            failed: one.failed,
            average: one.avg_duration_ms.map(millis),
        }
    }
}

impl From<SlowBody> for Slow {
    fn from(one: SlowBody) -> Slow {
        let id = one.id.to_string();
        Slow {
            short_id: short_id(&id),
            id,
            workflow: one.workflow,
            status: one.status,
            created: Time::parse(&one.created_at).map(moment),
            took: millis(one.duration_ms),
        }
    }
}

impl Wrong {
    fn of(one: ErrorBody, since: &str) -> Wrong {
        let failed =
            |workflow: Option<&str>| format!("{}&status=failed", runs_href(workflow, since));
        Wrong {
            message: one.message,
            count: one.count,
            runs_href: failed(match one.workflows.as_slice() {
                [only] => Some(only),
                _ => None,
            }),
            workflows: one
                .workflows
                .iter()
                .map(|name| (name.clone(), failed(Some(name))))
                .collect(),
            last_run: one.last_run.to_string(),
            last: Time::parse(&one.last_at).map(moment),
        }
    }
}
