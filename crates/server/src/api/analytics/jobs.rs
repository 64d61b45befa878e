use axum::Json;
use axum::extract::State;

use super::{AnalyticsQuery, meant};
use crate::access::Caller;
use crate::analytics::jobs::{JobsReport, report};
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// How runs have fared: how long they took and waited, which were slowest, what went wrong and how
/// often, and how the kinds of node did.
#[utoipa::path(
    get, path = "/api/v1/analytics/jobs", tag = "analytics", params(AnalyticsQuery),
    responses((status = 200, body = JobsReport), ProblemResponses)
)]
pub async fn job_analytics(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<AnalyticsQuery>,
) -> Result<Json<JobsReport>, Problem> {
    let span = query.span(&app)?;
    let project = caller.project().to_owned();
    let read = move |store: &dyn windlass_store::Store| {
        let workflow = meant(store, &project, query.workflow_id.as_deref())?;
        report(store, &project, workflow.map(|(id, _)| id), span)
    };
    Ok(Json(app.engine.read(read).await?))
}
