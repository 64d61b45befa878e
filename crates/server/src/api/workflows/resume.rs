use axum::Json;
use axum::extract::State;

use super::pause::set;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::workflow::WorkflowBody;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::Problem;

/// Ends the pause of a workflow: the runs that wait for it begin.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflow}/resume", tag = "workflows",
    params(("workflow" = String, Path, description = "Id or name")),
    responses((status = 200, body = WorkflowBody), ProblemResponses)
)]
pub async fn resume_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<WorkflowBody>, Problem> {
    set(&app, &caller, &word, None).await.map(Json)
}
