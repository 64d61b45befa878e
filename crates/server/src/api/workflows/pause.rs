use axum::Json;
use axum::extract::State;
use windlass_store::Pause;

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::runs::cancel::CancelRequest;
use crate::api::workflow::{WorkflowBody, find_row};
use crate::app::{App, Shared};
use crate::http::problem::Problem;
use crate::http::{Body, ProblemResponses};

/// Pauses a workflow: new runs of it are taken and wait, `queued` with the reason `held`. Runs that
/// have begun go on. Pausing it again changes who has and why.
#[utoipa::path(
    post, path = "/api/v1/workflows/{workflow}/pause", tag = "workflows",
    params(("workflow" = String, Path, description = "Id or name")),
    request_body(content = CancelRequest),
    responses((status = 200, body = WorkflowBody), ProblemResponses)
)]
pub async fn pause_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<CancelRequest>,
) -> Result<Json<WorkflowBody>, Problem> {
    let reason = request.reason.map(|reason| reason.chars().take(1_000).collect());
    let at = app.engine.clock().now();
    let pause = Pause { at, by: caller.name().to_owned(), reason };
    set(&app, &caller, &word, Some(pause)).await.map(Json)
}

/// Pauses a workflow, or ends its pause.
///
/// # Errors
///
/// `workflow-not-found`.
pub async fn set(
    app: &App,
    caller: &Caller,
    word: &str,
    pause: Option<Pause>,
) -> Result<WorkflowBody, Problem> {
    let row = find_row(app, caller.project(), word).await?;
    let row = app.engine.pause_workflow(row.workflow_id, pause).await?;
    row.as_ref().map(WorkflowBody::from).ok_or_else(|| Problem::no_workflow(word))
}
