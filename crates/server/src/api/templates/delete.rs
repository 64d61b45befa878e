use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::template::{find, none};
use crate::app::Shared;
use crate::http::etag;
use crate::http::problem::{self, Problem, ProblemBody, ProblemResponses};

/// Deletes a template with all its versions. Instances have their own copy and go on.
#[utoipa::path(
    delete, path = "/api/v1/templates/{template}", tag = "templates",
    params(
        ("template" = String, Path, description = "Id or name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the expected version"),
    ),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 412, description = "Another version is the newest: `version-mismatch`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn delete_template(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let row = find(&app, caller.project(), &word, None).await?.row;
    etag::check_match(&headers, &etag::etag(row.workflow_id, row.version))?;
    let expected = headers.contains_key(header::IF_MATCH).then_some(row.version);
    match app.engine.delete_workflow(row.workflow_id, expected).await? {
        None => Err(none(&word)),
        Some(version) if expected.is_some_and(|expected| expected != version) => {
            let message = format!("the newest version is {version} by now");
            Err(Problem::new(problem::VERSION_MISMATCH, message))
        }
        Some(_) => Ok(StatusCode::NO_CONTENT),
    }
}
