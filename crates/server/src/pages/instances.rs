//! `/instances`: all instances of templates, the newest first.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_store::{InstanceRow, InstanceStatus, Store, StoreError};

use super::error::PageProblem;
use super::graph::template::Tally;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;

/// Instances of a page.
const PAGE_SIZE: usize = 50;

/// Which instances.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    status: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: &'static str,
    query_status: String,
    statuses: Vec<&'static str>,
    rows: Vec<Row>,
    is_first: bool,
    next: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    description: Option<String>,
    template: String,
    version: u32,
    status: &'static str,
    reason: Option<String>,
    created: Moment,
    /// How many units stand where: count, class, word.
    units: Vec<(u64, &'static str, &'static str)>,
    /// How many are over.
    over: u64,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let after: Option<Uuid> = place(query.cursor.as_deref())?;
    let is_first = after.is_none();
    let word = query.status.unwrap_or_default();
    let status = match word.as_str() {
        "" => None,
        word => Some(InstanceStatus::parse(word).ok_or_else(|| {
            Problem::parameter("status", "`active`, `paused` or `archived` is expected")
        })?),
    };
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let page = store.instances(&project, status, after, PAGE_SIZE)?;
        let next = page.items.last().filter(|_| page.has_more).map(|last| last.instance_id);
        let rows: Result<Vec<Row>, StoreError> =
            page.items.into_iter().map(|row| row_of(store, row)).collect();
        Ok((rows?, next))
    };
    let (rows, next) = app.engine.read(read).await?;
    let kept = if word.is_empty() { String::new() } else { format!("status={word}&") };
    let context = Context {
        nav: "instances",
        tab: "instances",
        title: "Instances",
        query_status: word,
        statuses: InstanceStatus::ALL.iter().map(|status| status.as_str()).collect(),
        rows,
        is_first,
        next: next.map(|next| format!("/instances?{kept}cursor={}", cursor(&next))),
    };
    Ok(page_for("instances.html", &Me::of(&app, &caller), context).into_response())
}

fn row_of(store: &dyn Store, row: InstanceRow) -> Result<Row, StoreError> {
    let (mut tally, mut over) = (Tally::default(), 0);
    for count in store.unit_counts(row.instance_id)? {
        let is_failed = UnitStatus::parse(&count.status) == Some(UnitStatus::Failed);
        let is_final = UnitStatus::parse(&count.status).is_some_and(UnitStatus::is_final);
        if is_final || is_failed && count.place.is_none() {
            over += count.count;
        } else {
            tally.add(&count.status, count.count);
        }
    }
    Ok(Row {
        id: row.instance_id.to_string(),
        name: row.name,
        description: row.description,
        template: row.template,
        version: row.template_version,
        status: row.status.as_str(),
        reason: row.reason,
        created: moment(row.created_at),
        units: tally.parts().collect(),
        over,
    })
}
