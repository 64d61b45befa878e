//! `/workflows`: all workflows.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windlass_engine::Definitions;
use windlass_store::WorkflowRow;

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::client::segment;
use crate::http::paging::{cursor, place};

/// Workflows of a page.
const PAGE_SIZE: usize = 100;

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    /// Its page.
    href: String,
    is_template: bool,
    description: Option<String>,
    version: u32,
    updated: Moment,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, PageProblem> {
    let after: Option<String> = place(query.cursor.as_deref())?;
    let project = caller.project().to_owned();
    let definitions = app.engine.definitions().clone();
    let read = move |store: &dyn windlass_store::Store| {
        let page = store.workflows(&project, after.as_deref(), PAGE_SIZE)?;
        let next = page.items.last().filter(|_| page.has_more).map(|last| last.name.clone());
        let row = |row| row_of(&definitions, row);
        Ok((page.items.into_iter().map(row).collect(), next))
    };
    let (rows, next) = app.engine.read(read).await?;
    let next = next.map(|next| format!("/workflows?cursor={}", cursor(&next)));
    let context = Context { nav: "workflows", title: "Workflows", rows, next };
    Ok(page_for("workflows.html", &Me::of(&app, &caller), context).into_response())
}

fn row_of(definitions: &Definitions, row: WorkflowRow) -> Row {
    let plan = definitions.plan(row.definition_id).ok();
    let is_template = plan.is_some_and(|plan| plan.tokens.is_some());
    let part = if is_template { "templates" } else { "workflows" };
    Row {
        href: format!("/{part}/{}", segment(&row.name)),
        is_template,
        name: row.name,
        description: row.description,
        version: row.version,
        updated: moment(row.updated_at),
    }
}
