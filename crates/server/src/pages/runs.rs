//! `/runs`: all runs, filtered, in pages, live.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{Inferred, RunStatus};
use windlass_engine::Definitions;
use windlass_store::{RunRow, Store};

use super::error::PageProblem;
use super::live::{watch, whole};
use super::names;
use super::render::{Me, Moment, moment, page_for, render, took};
use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::runs::list::{RunsQuery, filter_of};
use crate::app::{App, Shared};
use crate::client::segment;
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;

/// Runs of a page.
const PAGE_SIZE: usize = 50;

/// Times that are offered, what people call them, and how many hours that is.
const SINCE: [(&str, &str, i64); 5] = [
    ("1h", "the last hour", 1),
    ("24h", "24 hours", 24),
    ("7d", "7 days", 168),
    ("30d", "30 days", 720),
    ("90d", "90 days", 2_160),
];

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    /// One of [`SINCE`].
    since: Option<String>,
    #[serde(flatten)]
    runs: RunsQuery,
}

impl Query {
    /// The same, with the time that is meant now.
    fn at(mut self, now: Time) -> Query {
        let since = self.since.as_deref().unwrap_or_default();
        if let Some((_, _, hours)) = SINCE.iter().find(|(word, ..)| *word == since) {
            let after = Time::from_micros(now.micros() - hours * 3_600_000_000);
            self.runs.created_after.get_or_insert_with(|| after.to_string());
        }
        self
    }
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    query: Filled,
    statuses: Vec<&'static str>,
    workflows: Vec<String>,
    times: Vec<(&'static str, &'static str)>,
    is_filtered: bool,
    is_first: bool,
    next: Option<String>,
    has_more: bool,
    live: Option<String>,
    rows: Vec<Row>,
    count: usize,
}

/// What the rows of the table are made of.
#[derive(Serialize)]
struct Rows {
    rows: Vec<Row>,
    has_more: bool,
}

/// The filter as it stands in the form.
#[derive(Serialize)]
struct Filled {
    status: String,
    workflow: String,
    label: String,
    tag: String,
    since: String,
    created_after: String,
    created_before: String,
    text: String,
}

#[derive(Serialize)]
struct Row {
    id: String,
    short_id: String,
    workflow: String,
    workflow_href: String,
    /// Whether another program drives it.
    is_elsewhere: bool,
    version: u32,
    status: &'static str,
    reason: Option<String>,
    error: Option<String>,
    labels: Vec<(String, String)>,
    created: Moment,
    took: Option<String>,
    steps_done: u32,
    steps_total: u32,
}

impl Row {
    fn of(definitions: &Definitions, row: RunRow) -> Row {
        let id = row.run_id.to_string();
        let plan = definitions.plan(row.definition_id).ok();
        let took = lasted(&row).map(took);
        let done = row.counts.iter().filter(|(status, _)| status.is_terminal());
        Row {
            short_id: short_id(&id),
            id,
            is_elsewhere: plan.is_some_and(|plan| plan.flow.is_some()),
            // A token run's workflow is its instance's own copy.
            workflow_href: match row.workflow_id == row.definition_id {
                true => format!("/instances/{}", row.workflow_id),
                false => format!("/workflows/{}", segment(&row.workflow)),
            },
            workflow: row.workflow,
            version: row.version,
            status: row.status.as_str(),
            reason: row.reason,
            error: row.error.map(|error| error.to_string()),
            labels: row.labels.into_iter().collect(),
            created: moment(row.created_at),
            took,
            steps_done: done.map(|(_, count)| count).sum(),
            steps_total: row.counts.total(),
        }
    }
}

/// How long a run took that is over; of one that goes on, that would change with every look. What was
/// judged by its silence ended nobody knows when.
pub(super) fn lasted(row: &RunRow) -> Option<Duration> {
    let is_judged = row.reason.as_deref().is_some_and(|reason| {
        [Inferred::NoTerminalEvent, Inferred::GivenUp].iter().any(|one| one.as_str() == reason)
    });
    if is_judged { None } else { Some(row.finished_at?.since(row.started_at?)) }
}

/// The end of an id tells runs apart; its beginning is the time.
pub(super) fn short_id(id: &str) -> String {
    id.rsplit('-').next().unwrap_or(id).to_owned()
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(asked): Asked<Query>,
) -> Result<Response, PageProblem> {
    let (since, query) = (asked.since.clone().unwrap_or_default(), asked.runs.clone());
    let (rows, next) = read(&app, &caller, asked).await?;
    let project = caller.project().to_owned();
    let workflows = app.engine.read(move |store| store.workflows(&project, None, 1_000)).await?;
    let filled = Filled {
        status: query.status.clone().unwrap_or_default(),
        workflow: query.workflow.clone().unwrap_or_default(),
        label: query.label.clone().unwrap_or_default(),
        tag: query.tag.clone().unwrap_or_default(),
        since,
        created_after: query.created_after.clone().unwrap_or_default(),
        created_before: query.created_before.clone().unwrap_or_default(),
        text: query.text.clone().unwrap_or_default(),
    };
    let kept = kept(&uri);
    let is_first = query.cursor.is_none();
    let context = Context {
        nav: "runs",
        title: "Runs",
        is_filtered: [
            &filled.status,
            &filled.workflow,
            &filled.label,
            &filled.tag,
            &filled.since,
            &filled.created_after,
            &filled.created_before,
            &filled.text,
        ]
        .iter()
        .any(|text| !text.is_empty()),
        times: SINCE.iter().map(|(word, name, _)| (*word, *name)).collect(),
        query: filled,
        statuses: RunStatus::ALL.iter().map(|status| status.as_str()).collect(),
        workflows: names::of(workflows.items),
        is_first,
        has_more: next.is_some(),
        next: next.map(|next| format!("/runs?{kept}cursor={}", cursor(&next))),
        // Older pages do not change under their reader.
        live: is_first.then(|| format!("/runs/live?{kept}")),
        count: rows.len(),
        rows,
    };
    Ok(page_for("runs.html", &Me::of(&app, &caller), context).into_response())
}

/// The query without its cursor, to be gone on with.
fn kept(uri: &Uri) -> String {
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    pairs.map(|pair| format!("{pair}&")).collect()
}

async fn read(
    app: &Arc<App>,
    caller: &Caller,
    query: Query,
) -> Result<(Vec<Row>, Option<Uuid>), Problem> {
    let query = query.at(app.engine.clock().now()).runs;
    let before: Option<Uuid> = place(query.cursor.as_deref())?;
    let mut filter = filter_of(&query)?;
    let workflow = query.workflow.filter(|name| !name.is_empty());
    let (definitions, project) = (app.engine.definitions().clone(), caller.project().to_owned());
    let list = move |store: &dyn Store| {
        if let Some(word) = workflow {
            let row = store.workflow(&project, &word)?;
            filter.workflow_id = Some(row.map_or(Uuid::nil(), |row| row.workflow_id));
        }
        let found = store.runs(&project, &filter, before, PAGE_SIZE)?;
        let rows = found.items.into_iter().map(|row| Row::of(&definitions, row));
        Ok((rows.collect(), found.next))
    };
    Ok(app.engine.read(list).await?)
}

/// The table anew whenever it has changed.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    // A filter that makes no sense is told now and not in the stream.
    filter_of(&query.runs)?;
    let (of, whose) = (app.clone(), caller.clone());
    Ok(watch(&app, &caller, None, move || {
        let (app, caller, query) = (of.clone(), whose.clone(), query.clone());
        async move {
            let (rows, next) = read(&app, &caller, query).await?;
            let html = render("parts/run_rows.html", Rows { rows, has_more: next.is_some() });
            Ok(vec![whole("rows", html)])
        }
    }))
}
