use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use utoipa::ToSchema;
use windlass_core::definition::Plan;
use windlass_engine::Definitions;
use windlass_store::{Store, StoreError, WorkflowRow};

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::api::workflow::WorkflowBody;
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Workflows that a page looks at to find those of one sort.
const LOOK_AT_MOST: usize = 2_000;
/// Workflows read at once.
const READ_AT_ONCE: usize = 200;

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

/// A page of those workflows that `pick` takes, behind a name. It looks at 2,000 at most, so it may be
/// short and still not be the last.
///
/// # Errors
///
/// If the store cannot be read.
pub(crate) fn those<T: ToSchema>(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    (mut after, limit): (Option<String>, usize),
    pick: impl Fn(&WorkflowRow, &Arc<Plan>) -> Option<T>,
) -> Result<List<T>, StoreError> {
    let (mut items, mut looked_at) = (Vec::new(), 0);
    loop {
        let page = store.workflows(project, after.as_deref(), READ_AT_ONCE)?;
        for row in &page.items {
            if items.len() == limit || looked_at == LOOK_AT_MOST {
                let next_cursor = after.as_ref().map(cursor);
                return Ok(List { items, next_cursor });
            }
            looked_at += 1;
            after = Some(row.name.clone());
            // One that this version cannot read any more is of no sort to it.
            let Ok(plan) = definitions.plan(row.definition_id) else { continue };
            items.extend(pick(row, &plan));
        }
        if !page.has_more {
            return Ok(List { items, next_cursor: None });
        }
    }
}
