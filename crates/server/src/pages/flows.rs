//! `/flows`: the catalogue. All workflows, those that run here and those that other programs run, with
//! how they have fared of late.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_core::Time;
use windlass_core::run::RunStatus;
use windlass_core::run::observed::UNKNOWN_FLOW;
use windlass_engine::Definitions;
use windlass_store::{RunGlance, ScanFilter, Store, StoreError, WorkflowRow};

use super::error::PageProblem;
use super::live::{watch, whole};
use super::names;
use super::render::{Me, Moment, moment, page_for, render, took};
use crate::access::Caller;
use crate::analytics::series::took as took_of;
use crate::api::flow::{newest_runs, tags};
use crate::api::query::Asked;
use crate::app::Shared;
use crate::client::segment;
use crate::http::paging::{cursor, place};

/// Workflows of a page.
const PAGE_SIZE: usize = 50;
/// Workflows that a page with a filter looks at.
const LOOK_AT_MOST: usize = 2_000;
/// How far back runs are counted.
pub(super) const LATELY: Duration = Duration::from_secs(7 * 86_400);
/// Runs of one workflow that are counted.
const COUNT_MAX: usize = 1_000;
/// Runs of the sparkline.
const SPARKS: usize = 24;

/// Which workflows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    /// A text in the name, the description, the owner or a tag.
    q: Option<String>,
    /// Exactly this tag.
    tag: Option<String>,
    /// `here`, `elsewhere` or `template`.
    origin: Option<String>,
    /// Where its newest run stands, such as `failed`.
    last: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    query: Filled,
    statuses: Vec<&'static str>,
    is_filtered: bool,
    is_first: bool,
    /// Where this server was asked, for a command that can be typed as it stands.
    host: String,
    live: Option<String>,
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Filled {
    q: String,
    tag: String,
    origin: String,
    last: String,
}

#[derive(Serialize)]
struct Row {
    key: String,
    name: String,
    /// What its program calls it, if that is something else.
    title: Option<String>,
    href: String,
    runs_href: String,
    origin: &'static str,
    description: Option<String>,
    owner: Option<String>,
    tags: Vec<String>,
    is_paused: bool,
    last: Option<Last>,
    sparks: Vec<Spark>,
    /// How many runs there were of late, such as `12` or `1000+`.
    count: String,
    failed: u64,
    going_on: u64,
    rate: Option<String>,
}

#[derive(Serialize)]
struct Last {
    id: String,
    status: &'static str,
    created: Moment,
}

/// A run in a sparkline: the higher, the longer it took.
#[derive(Serialize)]
struct Spark {
    x: usize,
    y: u32,
    height: u32,
    status: &'static str,
    told: String,
}

/// A page of the catalogue, and where the next one begins.
type Page = (Vec<Row>, Option<String>);

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
    headers: HeaderMap,
) -> Result<Response, PageProblem> {
    let after: Option<String> = place(query.cursor.as_deref())?;
    let is_first = after.is_none();
    let (project, now) = (caller.project().to_owned(), app.engine.clock().now());
    let (definitions, wanted) = (app.engine.definitions().clone(), query.clone());
    let look = move |store: &dyn Store| read(store, &definitions, &project, &wanted, after, now);
    let (rows, next) = app.engine.read(look).await?;
    let kept = kept(&query);
    let filled = Filled {
        q: query.q.unwrap_or_default(),
        tag: query.tag.unwrap_or_default(),
        origin: query.origin.unwrap_or_default(),
        last: query.last.unwrap_or_default(),
    };
    let context = Context {
        nav: "workflows",
        title: "Workflows",
        is_filtered: !kept.is_empty(),
        host: host(&headers).unwrap_or("localhost:8000").to_owned(),
        statuses: RunStatus::ALL.iter().map(|status| status.as_str()).collect(),
        query: filled,
        is_first,
        live: is_first.then(|| format!("/flows/live?{kept}")),
        rows,
        next: next.map(|next| format!("/flows?{kept}cursor={}", cursor(&next))),
    };
    Ok(page_for("flows.html", &Me::of(&app, &caller), context).into_response())
}

/// The address in a request, if a shell takes it for a word.
fn host(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-');
    Some(host).filter(|host| !host.is_empty() && host.chars().all(is_plain))
}

/// The catalogue was once here.
pub(super) async fn moved() -> axum::response::Redirect {
    axum::response::Redirect::to("/flows")
}

/// The table anew whenever it has changed.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let (of, project) = (app.clone(), caller.project().to_owned());
    Ok(watch(&app, &caller, None, move || {
        let (app, project, query) = (of.clone(), project.clone(), query.clone());
        async move {
            let (definitions, now) = (app.engine.definitions().clone(), app.engine.clock().now());
            let look =
                move |store: &dyn Store| read(store, &definitions, &project, &query, None, now);
            let (rows, _) = app.engine.read(look).await?;
            let rows = std::collections::BTreeMap::from([("rows", rows)]);
            Ok(vec![whole("rows", render("parts/flow_rows.html", rows))])
        }
    }))
}

/// The query without its cursor, to be gone on with.
fn kept(query: &Query) -> String {
    let pairs =
        [("q", &query.q), ("tag", &query.tag), ("origin", &query.origin), ("last", &query.last)];
    let pairs = pairs.into_iter().filter_map(|(name, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some(format!("{name}={}&", segment(value)))
    });
    pairs.collect()
}

fn read(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    query: &Query,
    after: Option<String>,
    now: Time,
) -> Result<Page, StoreError> {
    let (mut rows, mut after) = (Vec::new(), after);
    let (workflows, has_more) = names::workflows(store, project, after.as_deref())?;
    for (looked, workflow) in workflows.into_iter().enumerate() {
        if looked >= LOOK_AT_MOST {
            return Ok((rows, after));
        }
        let name = workflow.name.clone();
        if let Some(row) = row_of(store, definitions, project, workflow, query)? {
            if rows.len() == PAGE_SIZE {
                return Ok((rows, after));
            }
            rows.push(with_runs(store, project, row, now)?);
        }
        after = Some(name);
    }
    Ok((rows, after.filter(|_| has_more)))
}

/// A row without its runs, if it is wanted.
fn row_of(
    store: &dyn Store,
    definitions: &Definitions,
    project: &str,
    row: WorkflowRow,
    query: &Query,
) -> Result<Option<(uuid::Uuid, Row)>, StoreError> {
    let plan = definitions.plan(row.definition_id).ok();
    let flow = plan.as_ref().and_then(|plan| plan.flow.as_deref());
    let is_template = plan.as_ref().is_some_and(|plan| plan.tokens.is_some());
    let origin = match (flow.is_some(), is_template) {
        (true, _) => "elsewhere",
        (false, true) => "template",
        (false, false) => "here",
    };
    if said(&query.origin).is_some_and(|wanted| wanted != origin) {
        return Ok(None);
    }
    let workflow_id = row.workflow_id;
    let last = said(&query.last);
    // A flow's run says words to find it by; of no other workflow it needs to be read.
    let newest = match flow.is_some() || last.is_some() {
        true => newest_runs(store, project, workflow_id, 1)?.pop(),
        false => None,
    };
    if last.is_some() && newest.as_ref().map(|run| run.status.as_str()) != last {
        return Ok(None);
    }
    let part = if is_template { "templates" } else { "workflows" };
    let made = Row {
        key: format!("flow-{workflow_id}"),
        href: format!("/{part}/{}", segment(&row.name)),
        runs_href: format!("/runs?workflow={}", segment(&row.name)),
        title: match row.name.as_str() {
            UNKNOWN_FLOW => Some("no program has said yet which flow these are of".to_owned()),
            name => flow.and_then(|flow| flow.name.clone()).filter(|title| title != name),
        },
        origin,
        owner: flow.and_then(|flow| flow.owner.clone()),
        tags: flow.map(|flow| tags(flow.tags.iter().cloned(), newest.as_ref())).unwrap_or_default(),
        description: row.description,
        is_paused: row.pause.is_some(),
        name: row.name,
        last: None,
        sparks: Vec::new(),
        count: String::new(),
        failed: 0,
        going_on: 0,
        rate: None,
    };
    Ok(made.fits(query).then_some((workflow_id, made)))
}

/// What is asked for in a field of the form, if anything is.
fn said(field: &Option<String>) -> Option<&str> {
    field.as_deref().filter(|text| !text.is_empty())
}

impl Row {
    fn fits(&self, query: &Query) -> bool {
        let fits_tag = said(&query.tag).is_none_or(|tag| self.tags.iter().any(|own| own == tag));
        let fits_text = said(&query.q).is_none_or(|text| {
            let text = text.to_lowercase();
            let own = [Some(&self.name), self.title.as_ref(), self.description.as_ref()];
            let own = own.into_iter().chain([self.owner.as_ref()]).flatten().chain(&self.tags);
            own.into_iter().any(|own| own.to_lowercase().contains(&text))
        });
        fits_tag && fits_text
    }
}

/// The row with how its runs have fared of late.
fn with_runs(
    store: &dyn Store,
    project: &str,
    (workflow_id, mut row): (uuid::Uuid, Row),
    now: Time,
) -> Result<Row, StoreError> {
    let mut runs: Vec<RunGlance> = Vec::new();
    let since =
        Time::from_micros(now.micros() - i64::try_from(LATELY.as_micros()).unwrap_or(i64::MAX));
    let filter = ScanFilter { workflow_id: Some(workflow_id), from: None, until: None };
    let (mut count, mut succeeded, mut over) = (0_usize, 0_u64, 0_u64);
    // The newest run counts for its status however old it is.
    store.scan_runs(project, &filter, COUNT_MAX, &mut |run: RunGlance| {
        if run.created_at >= since {
            count += 1;
            match run.status {
                RunStatus::Succeeded => succeeded += 1,
                RunStatus::Failed => row.failed += 1,
                status if !status.is_terminal() => row.going_on += 1,
                _ => {}
            }
            over += u64::from(matches!(run.status, RunStatus::Succeeded | RunStatus::Failed));
        }
        if runs.len() < SPARKS {
            runs.push(run);
        }
    })?;
    row.count = if count >= COUNT_MAX { format!("{COUNT_MAX}+") } else { count.to_string() };
    row.rate = (over > 0).then(|| percent(succeeded, over));
    // What another program runs was told of later than it began.
    if row.origin == "elsewhere" {
        runs.iter_mut().for_each(|run| run.created_at = run.started_at.unwrap_or(run.created_at));
    }
    row.last = runs.first().map(|run| Last {
        id: run.run_id.to_string(),
        status: run.status.as_str(),
        created: moment(run.created_at),
    });
    row.sparks = sparks(&runs, now);
    Ok(row)
}

/// A share in whole percent. What is not all is never 100 %, and what is not nothing never 0 %.
pub(super) fn percent(part: u64, all: u64) -> String {
    let percent = match (part * 100).checked_div(all).unwrap_or(0) {
        0 if part > 0 => 1,
        percent => percent,
    };
    format!("{percent} %")
}

/// The newest runs, the oldest on the left.
fn sparks(runs: &[RunGlance], now: Time) -> Vec<Spark> {
    let lasted = |run: &RunGlance| {
        took_of(run).unwrap_or_else(|| now.since(run.started_at.unwrap_or(run.created_at)))
    };
    let longest = runs.iter().map(lasted).max().unwrap_or_default().as_millis().max(1);
    let spark = |(place, run): (usize, &RunGlance)| {
        let share = lasted(run).as_millis() * 16 / longest;
        let height = 4 + u32::try_from(share).unwrap_or(16).min(16);
        Spark {
            x: (SPARKS - 1 - place) * 5,
            y: 20 - height,
            height,
            status: run.status.as_str(),
            told: format!(
                "{} {}, {}",
                moment(run.created_at).short,
                run.status.as_str(),
                took(lasted(run))
            ),
        }
    };
    runs.iter().enumerate().map(spark).collect()
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn shares_are_whole_percents() {
        let found =
            [(0, 3), (1, 1_000), (999, 1_000), (3, 3)].map(|(part, all)| percent(part, all));
        assert_eq!(found, ["0 %", "1 %", "99 %", "100 %"]);
    }
}
