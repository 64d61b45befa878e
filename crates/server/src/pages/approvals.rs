//! `/approvals`: what people are asked, what has waited longest first.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_core::Time;
use windlass_store::{AskRow, Page};

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::approval::ApprovalSummary;
use crate::api::approvals::list::{Place, waiting};
use crate::api::query::Asked;
use crate::app::Shared;
use crate::client::segment;
use crate::http::paging::{cursor, place};

/// Approvals of a page.
const PAGE_SIZE: usize = 50;

/// Where the page begins.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    /// What the page before says.
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    title: String,
    href: String,
    workflow: String,
    approvers: String,
    since: Moment,
    deadline: Option<Moment>,
}

impl From<AskRow> for Row {
    fn from(row: AskRow) -> Row {
        let (since, deadline) = (moment(row.since), row.deadline.map(moment));
        let ApprovalSummary { run_id, workflow, step, title, approvers, .. } = row.into();
        let href = address(&run_id.to_string(), &step);
        Row { title, href, workflow, approvers: approvers.join(", "), since, deadline }
    }
}

/// The page of one approval.
pub(super) fn address(run_id: &str, step: &str) -> String {
    format!("/runs/{run_id}/approvals/{}", segment(step))
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let from: Option<Place> = place(query.cursor.as_deref())?;
    let is_first = from.is_none();
    let after = from.map(Place::key);
    let project = caller.project().to_owned();
    let read = move |store: &dyn windlass_store::Store| {
        waiting(store, &project, after.as_ref(), PAGE_SIZE)
    };
    let Page { items, has_more } = app.engine.read(read).await?;
    let next = items.last().filter(|_| has_more).map(|last| cursor(&Place::of(last)));
    let context = Context {
        nav: "approvals",
        title: "Approvals",
        rows: items.into_iter().map(Row::from).collect(),
        is_first,
        next,
    };
    Ok(page_for("approvals.html", &Me::of(&app, &caller), context).into_response())
}

/// The time of a text that the API would show.
pub(super) fn moment_of(text: &str) -> Option<Moment> {
    Time::parse(text).map(moment)
}
