use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_store::{Store, WorkflowRow};

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::api::workflow::WorkflowBody;
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Workflows, by name.
#[utoipa::path(
    get, path = "/api/v1/workflows", tag = "workflows", params(PageQuery),
    responses((status = 200, body = List<WorkflowBody>), ProblemResponses)
)]
pub async fn list_workflows(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let (found, next_cursor) = rows(&app, &caller, page.cursor.as_deref(), limit).await?;
    let items = found.iter().map(WorkflowBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}

/// A page of the caller's workflows, and where the next one begins.
///
/// # Errors
///
/// `bad-parameter` if the cursor is none of this list.
pub async fn rows(
    app: &App,
    caller: &Caller,
    from: Option<&str>,
    limit: usize,
) -> Result<(Vec<WorkflowRow>, Option<String>), Problem> {
    let after: Option<String> = place(from)?;
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| store.workflows(&project, after.as_deref(), limit);
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.name));
    Ok((found.items, next_cursor))
}
