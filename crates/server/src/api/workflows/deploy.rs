use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use windlass_core::limits::DEFINITION_BYTES_MAX;
use windlass_store::{Deployed, WorkflowRow};

use crate::access::Caller;
use crate::api::workflow::WorkflowDetail;
use crate::app::{App, Shared};
use crate::http::etag;
use crate::http::problem::{self, Problem};
use crate::http::{ProblemResponses, body};

/// Deploys a definition, in YAML or JSON. A new name or changed content is a new version (201); the
/// same content changes nothing (200).
#[utoipa::path(
    post, path = "/api/v1/workflows", tag = "workflows",
    request_body(
        content((String = "application/yaml"), (Object = "application/json")),
        description = "The definition"
    ),
    responses(
        (status = 201, description = "It is a new version", body = WorkflowDetail),
        (status = 200, description = "The newest version says the same", body = WorkflowDetail),
        (status = 422, description = "It has errors: `invalid-definition`",
         body = problem::ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn deploy_workflow(
    State(app): Shared,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    let text = text_of(&app, request).await?;
    deploy(&app, caller.project(), text, None).await
}

/// The definition's text.
pub(crate) async fn text_of(app: &App, request: Request) -> Result<String, Problem> {
    let headers = request.headers().clone();
    let bytes = app.room.unpacked(&headers, body::read(request, app).await?)?;
    if bytes.len() > DEFINITION_BYTES_MAX {
        let message = format!("a definition has at most {DEFINITION_BYTES_MAX} bytes");
        return Err(Problem::new(problem::BODY_TOO_LARGE, message));
    }
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.utf8_error().valid_up_to());
        Problem::new(problem::BAD_DOCUMENT, message)
    })
}

/// Deploys, over an expected version if there is one, and answers.
pub(super) async fn deploy(
    app: &App,
    project: &str,
    text: String,
    expected_version: Option<u32>,
) -> Result<Response, Problem> {
    let (checked, deployed) = app.engine.deploy(project, text, expected_version).await?;
    let Some(deployed) = deployed else {
        let is_readable = checked.document.is_some();
        let code = if is_readable { problem::INVALID_DEFINITION } else { problem::BAD_DOCUMENT };
        return Err(Problem::findings(code, checked.findings));
    };
    let (status, row) = match deployed {
        Deployed::New(row) => (StatusCode::CREATED, row),
        Deployed::Same(row) => (StatusCode::OK, row),
        Deployed::VersionMismatch { current } => {
            let message = format!("the newest version is {current} by now");
            return Err(Problem::new(problem::VERSION_MISMATCH, message));
        }
    };
    let body = detail(app, &row, checked.findings).await?;
    let location = format!("/api/v1/workflows/{}", row.workflow_id);
    let tag = etag::header_value(&body.workflow.etag);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(location).ok().map(|value| (header::LOCATION, value)));
    headers.insert(header::ETAG, tag);
    Ok(response)
}

/// A workflow with its newest definition.
pub(crate) async fn detail(
    app: &App,
    row: &WorkflowRow,
    findings: Vec<windlass_core::Finding>,
) -> Result<WorkflowDetail, Problem> {
    let definition_id = row.definition_id;
    let definition = app.engine.read(move |store| store.definition(definition_id)).await?;
    let definition = definition
        .ok_or_else(|| Problem::new(problem::INTERNAL, "the workflow's definition is gone"))?;
    Ok(WorkflowDetail::of(row, definition, findings))
}
