use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;

use super::deploy::{deploy, text_of};
use crate::access::Caller;
use crate::api::query::Named;
use crate::api::workflow::{WorkflowDetail, find_row};
use crate::app::Shared;
use crate::http::etag;
use crate::http::problem::{self, Problem, ProblemBody, ProblemResponses};

/// Deploys a definition to a workflow. The definition must have the workflow's name.
///
/// With `If-Match`, only over the version it names; with `If-None-Match: *`, only if there is no
/// such workflow. A name that is not taken creates a workflow.
#[utoipa::path(
    put, path = "/api/v1/workflows/{workflow}", tag = "workflows",
    params(
        ("workflow" = String, Path, description = "Id or name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the expected version"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: there must be none"),
    ),
    request_body(
        content((String = "application/yaml"), (Object = "application/json")),
        description = "The definition"
    ),
    responses(
        (status = 201, description = "It is a new version", body = WorkflowDetail),
        (status = 200, description = "The newest version says the same", body = WorkflowDetail),
        (status = 412, description = "Another version is the newest: `version-mismatch`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "It has errors or another name",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn replace_workflow(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let (has_if_match, must_be_new) =
        (headers.contains_key(header::IF_MATCH), headers.contains_key(header::IF_NONE_MATCH));
    let text = text_of(&app, request).await?;
    let row = match find_row(&app, caller.project(), &word).await {
        Ok(row) => Some(row),
        Err(problem) if problem.code == problem::WORKFLOW_NOT_FOUND => None,
        Err(problem) => return Err(problem),
    };
    let name = row.as_ref().map_or(word.as_str(), |row| &row.name);
    let given = windlass_core::source::read(&text).ok();
    let given = given.as_ref().and_then(|source| source.value.get("name")?.as_str());
    if let Some(given) = given.filter(|given| *given != name) {
        let message = format!("the definition is called `{given}`, the workflow `{name}`");
        return Err(Problem::new(problem::NAME_MISMATCH, message));
    }
    let expected_version = match &row {
        Some(_) if must_be_new => {
            let message = format!("there is a workflow `{name}` already");
            return Err(Problem::new(problem::VERSION_MISMATCH, message));
        }
        Some(row) => {
            etag::check_match(&headers, &etag::etag(row.workflow_id, row.version))?;
            has_if_match.then_some(row.version)
        }
        None if has_if_match => {
            let message = format!("there is no workflow `{name}` yet");
            return Err(Problem::new(problem::VERSION_MISMATCH, message));
        }
        None if word.parse::<uuid::Uuid>().is_ok() => return Err(Problem::no_workflow(&word)),
        None => must_be_new.then_some(0),
    };
    deploy(&app, caller.project(), text, expected_version).await
}
