//! `/workflows`: all workflows.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
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
    let read = move |store: &dyn windlass_store::Store| {
        store.workflows(&project, after.as_deref(), PAGE_SIZE)
    };
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next = last.map(|last| format!("/workflows?cursor={}", cursor(&last.name)));
    let row = |row: windlass_store::WorkflowRow| Row {
        name: row.name,
        description: row.description,
        version: row.version,
        updated: moment(row.updated_at),
    };
    let rows = found.items.into_iter().map(row).collect();
    let context = Context { nav: "workflows", title: "Workflows", rows, next };
    Ok(page_for("workflows.html", &Me::of(&app, &caller), context).into_response())
}
