use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_core::definition::Plan;
use windlass_store::{Store, WorkflowRow};

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::api::template::{Found, TemplateBody};
use crate::api::workflows::list::those;
use crate::app::{App, Shared};
use crate::http::paging::{List, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Templates, by name. A page looks at 2,000 workflows: it may be short, and still have a
/// `next_cursor`.
#[utoipa::path(
    get, path = "/api/v1/templates", tag = "templates", params(PageQuery),
    responses((status = 200, body = List<TemplateBody>), ProblemResponses)
)]
pub async fn list_templates(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<String> = place(page.cursor.as_deref())?;
    Ok(page_of(&app, caller.project(), after, limit).await?.answer(&uri))
}

/// A page of templates behind a name.
///
/// # Errors
///
/// That the store is away.
pub(crate) async fn page_of(
    app: &App,
    project: &str,
    after: Option<String>,
    limit: usize,
) -> Result<List<TemplateBody>, Problem> {
    let (definitions, project) = (app.engine.definitions().clone(), project.to_owned());
    let pick = |row: &WorkflowRow, plan: &Arc<Plan>| {
        let found = Found { row: row.clone(), plan: plan.clone() };
        found.template().map(|template| TemplateBody::of(row, template))
    };
    let read = move |store: &dyn Store| those(store, &definitions, &project, (after, limit), pick);
    Ok(app.engine.read(read).await?)
}
