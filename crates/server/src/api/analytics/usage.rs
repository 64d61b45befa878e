use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::Time;
use windlass_engine::day_of;
use windlass_store::{Store, Taken, UsageFilter};

use super::{AnalyticsQuery, meant};
use crate::access::Caller;
use crate::analytics::span::{Interval, Span};
use crate::api::query::Asked;
use crate::api::usage::{UsageBody, UsageSums};
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// Rows that are added up, at most.
const ROWS_MAX: usize = 100_000;

/// What models have taken.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageReport {
    /// The first day, UTC.
    #[schema(format = Date)]
    pub from: String,
    /// The last day.
    #[schema(format = Date)]
    pub to: String,
    /// All together.
    pub total: UsageSums,
    /// By hour or day, those without calls included. What a node of a run takes on a day counts in the
    /// hour of its first call.
    pub series: Vec<UsageBucket>,
    /// By model, the dearest first.
    pub models: Vec<ModelUsage>,
    /// By workflow, the dearest first.
    pub workflows: Vec<WorkflowUsage>,
    /// Whether there was more than could be added up at once: 100,000 rows, the newest ones.
    pub is_cut: bool,
}

/// What models have taken in an hour or on a day.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UsageBucket {
    /// When it begins, RFC 3339.
    #[schema(format = DateTime)]
    pub bucket: String,
    /// The day, UTC.
    #[schema(format = Date)]
    pub day: String,
    /// What they took.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// What a model has taken.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ModelUsage {
    /// Who provides it.
    pub provider: String,
    /// The model.
    pub model: String,
    /// What it took.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// What models have taken in a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WorkflowUsage {
    /// The workflow's name.
    pub workflow: String,
    /// What they took.
    #[serde(flatten)]
    pub sums: UsageSums,
}

/// Tokens, calls and money, by hour or day (UTC), model and workflow. By days, whole ones count.
#[utoipa::path(
    get, path = "/api/v1/analytics/usage", tag = "analytics", params(AnalyticsQuery),
    responses((status = 200, body = UsageReport), ProblemResponses)
)]
pub async fn usage_analytics(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<AnalyticsQuery>,
) -> Result<Json<UsageReport>, Problem> {
    let span = query.span(&app)?;
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let workflow = meant(store, &project, query.workflow_id.as_deref())?.map(|(_, name)| name);
        report(store, &project, workflow, &span)
    };
    Ok(Json(app.engine.read(read).await?))
}

/// What models have taken in a project in a stretch of time.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) fn report(
    store: &dyn Store,
    project: &str,
    workflow: Option<String>,
    span: &Span,
) -> Result<UsageReport, windlass_store::StoreError> {
    let (from_day, to_day) = (day_of(span.from), day_of(span.last()));
    let by_hour = span.interval == Interval::Hour;
    let filter = UsageFilter { workflow, from_day, to_day, by_hour };
    let rows = store.usage(project, &filter, ROWS_MAX)?;
    let mut series: Vec<(Time, Taken)> =
        span.buckets().map(|begin| (begin, Taken::default())).collect();
    let mut models: BTreeMap<(String, String), Taken> = BTreeMap::new();
    let mut workflows: BTreeMap<String, Taken> = BTreeMap::new();
    let mut total = Taken::default();
    let is_cut = rows.len() >= ROWS_MAX;
    for row in rows {
        let at = if by_hour { row.first_at } else { first_of(row.day) };
        // The first and the last day have hours that nobody asked for.
        let Some((_, sum)) = span.place_of(at).and_then(|place| series.get_mut(place)) else {
            continue;
        };
        *sum += row.taken;
        total += row.taken;
        *models.entry((row.provider, row.model)).or_default() += row.taken;
        *workflows.entry(row.workflow).or_default() += row.taken;
    }
    let dearest = |taken: &Taken| {
        std::cmp::Reverse((taken.cost_micros, taken.input_tokens + taken.output_tokens))
    };
    let mut models: Vec<_> = models.into_iter().collect();
    models.sort_by_key(|(_, taken)| dearest(taken));
    let mut workflows: Vec<_> = workflows.into_iter().collect();
    workflows.sort_by_key(|(_, taken)| dearest(taken));
    Ok(UsageReport {
        from: UsageBody::day(from_day),
        to: UsageBody::day(to_day),
        total: total.into(),
        series: series
            .into_iter()
            .map(|(begin, taken)| UsageBucket {
                bucket: begin.to_string(),
                day: UsageBody::day(day_of(begin)),
                sums: taken.into(),
            })
            .collect(),
        models: models
            .into_iter()
            .map(|((provider, model), taken)| ModelUsage { provider, model, sums: taken.into() })
            .collect(),
        workflows: workflows
            .into_iter()
            .map(|(workflow, taken)| WorkflowUsage { workflow, sums: taken.into() })
            .collect(),
        is_cut,
    })
}

/// When a day begins.
fn first_of(day: i64) -> Time {
    Time::from_micros(day.saturating_mul(86_400_000_000))
}
