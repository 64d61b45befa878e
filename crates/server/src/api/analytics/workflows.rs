use axum::Json;
use axum::extract::State;

use super::{AnalyticsQuery, meant};
use crate::access::Caller;
use crate::analytics::workflows::{WorkflowsReport, report};
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// How the workflows of the project have fared: runs created in a stretch of time, what has become of
/// them, how long they took, by workflow and over time. Runs that retention has deleted are not counted.
#[utoipa::path(
    get, path = "/api/v1/analytics/workflows", tag = "analytics", params(AnalyticsQuery),
    responses((status = 200, body = WorkflowsReport), ProblemResponses)
)]
pub async fn workflow_analytics(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<AnalyticsQuery>,
) -> Result<Json<WorkflowsReport>, Problem> {
    let span = query.span(&app)?;
    let project = caller.project().to_owned();
    let read = move |store: &dyn windlass_store::Store| {
        let workflow = meant(store, &project, query.workflow_id.as_deref())?;
        let workflow = workflow.as_ref().map(|(id, name)| (*id, name.as_str()));
        report(store, &project, workflow, span)
    };
    Ok(Json(app.engine.read(read).await?))
}
