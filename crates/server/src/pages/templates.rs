//! `/templates`: all templates of token workflows.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windlass_engine::Definitions;
use windlass_store::{Store, StoreError, WorkflowRow};

use super::error::PageProblem;
use super::names;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{cursor, place};

/// Templates of a page.
const PAGE_SIZE: usize = 50;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    description: Option<String>,
    version: u32,
    updated: Moment,
    roles: usize,
    interactions: usize,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, PageProblem> {
    let after: Option<String> = place(query.cursor.as_deref())?;
    let is_first = after.is_none();
    let (project, definitions) = (caller.project().to_owned(), app.engine.definitions().clone());
    let read = move |store: &dyn Store| find(store, &definitions, &project, after);
    let (rows, next) = app.engine.read(read).await?;
    let next = next.map(|name| format!("/templates?cursor={}", cursor(&name)));
    let context =
        Context { nav: "instances", tab: "templates", title: "Templates", rows, is_first, next };
    Ok(page_for("templates.html", &Me::of(&app, &caller), context).into_response())
}

/// Templates are kept among the workflows, so those are gone through until there are enough.
fn find(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    mut after: Option<String>,
) -> Result<(Vec<Row>, Option<String>), StoreError> {
    let mut rows = Vec::new();
    loop {
        let (workflows, has_more) = names::workflows(store, project, after.as_deref())?;
        let count = workflows.len();
        for (index, row) in workflows.into_iter().enumerate() {
            let name = row.name.clone();
            rows.extend(row_of(definitions, row));
            if rows.len() == PAGE_SIZE {
                let has_more = has_more || index + 1 < count;
                return Ok((rows, has_more.then_some(name)));
            }
            after = Some(name);
        }
        if !has_more {
            return Ok((rows, None));
        }
    }
}

fn row_of(definitions: &Definitions, row: WorkflowRow) -> Option<Row> {
    let plan = definitions.plan(row.definition_id).ok()?;
    let tokens = plan.tokens.as_ref()?;
    let template = tokens.workflows.get(&tokens.master)?;
    Some(Row {
        name: row.name,
        description: row.description,
        version: row.version,
        updated: moment(row.updated_at),
        roles: template.roles.len(),
        interactions: template.interactions.len(),
    })
}
