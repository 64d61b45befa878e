use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::Time;
use windlass_store::{Store, Taken, UsageFilter};

use super::{AnalyticsQuery, meant};
use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::usage::{UsageBody, UsageDay, UsageSums};
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
    /// By day, those without calls included.
    pub series: Vec<UsageDay>,
    /// By model, the dearest first.
    pub models: Vec<ModelUsage>,
    /// By workflow, the dearest first.
    pub workflows: Vec<WorkflowUsage>,
    /// Whether there was more than could be added up at once: 100,000 rows, the newest ones.
    pub is_cut: bool,
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

/// Tokens, calls and money, by day, model and workflow. It is counted by the day (UTC), whatever
/// `interval` says.
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
    let from_day = windlass_engine::day_of(span.from);
    let to_day = windlass_engine::day_of(Time::from_micros(span.until.micros() - 1));
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let workflow = meant(store, &project, query.workflow_id.as_deref())?.map(|(_, name)| name);
        report(store, &project, workflow, from_day, to_day)
    };
    Ok(Json(app.engine.read(read).await?))
}

/// What models have taken in a project from one day to another.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) fn report(
    store: &dyn Store,
    project: &str,
    workflow: Option<String>,
    from_day: i64,
    to_day: i64,
) -> Result<UsageReport, windlass_store::StoreError> {
    let rows = store.usage(project, &UsageFilter { workflow, from_day, to_day }, ROWS_MAX)?;
    let mut days: BTreeMap<i64, Taken> =
        (from_day..=to_day).map(|day| (day, Taken::default())).collect();
    let mut models: BTreeMap<(String, String), Taken> = BTreeMap::new();
    let mut workflows: BTreeMap<String, Taken> = BTreeMap::new();
    let mut total = Taken::default();
    let is_cut = rows.len() >= ROWS_MAX;
    for row in rows {
        total += row.taken;
        *days.entry(row.day).or_default() += row.taken;
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
        series: days
            .into_iter()
            .map(|(day, taken)| UsageDay { day: UsageBody::day(day), sums: taken.into() })
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
