use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::deploy::detail;
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::workflow::{WorkflowDetail, find_row};
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses, etag};

/// A workflow with its newest definition.
#[utoipa::path(
    get, path = "/api/v1/workflows/{workflow}", tag = "workflows",
    params(
        ("workflow" = String, Path, description = "Id or name"),
        ("If-None-Match" = Option<String>, Header, description = "An `ETag` the client has"),
    ),
    responses(
        (status = 200, body = WorkflowDetail),
        (status = 304, description = "The client has this version"),
        ProblemResponses
    )
)]
pub async fn get_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let row = find_row(&app, caller.project(), &word).await?;
    let tag = etag::etag(row.workflow_id, row.version);
    let etag = [(header::ETAG, etag::header_value(&tag))];
    if etag::is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
    }
    let body = detail(&app, &row, Vec::new()).await?;
    Ok((etag, Json(body)).into_response())
}
