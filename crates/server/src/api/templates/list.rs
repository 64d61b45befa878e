use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_engine::Definitions;
use windlass_store::{Store, StoreError};

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::api::template::{Found, TemplateBody};
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Workflows that a page looks at to find those that are templates.
const LOOK_AT_MOST: usize = 2_000;
/// Workflows read at once.
const READ_AT_ONCE: usize = 200;

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
    let read = move |store: &dyn Store| gather(store, &definitions, &project, after, limit);
    Ok(app.engine.read(read).await?)
}

fn gather(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    mut after: Option<String>,
    limit: usize,
) -> Result<List<TemplateBody>, StoreError> {
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
            // One that this version cannot read any more is no template to it.
            let Ok(plan) = definitions.plan(row.definition_id) else { continue };
            let found = Found { row: row.clone(), plan };
            items.extend(found.template().map(|template| TemplateBody::of(row, template)));
        }
        if !page.has_more {
            return Ok(List { items, next_cursor: None });
        }
    }
}
