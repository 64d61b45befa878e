//! `/interventions`: what pilots are asked, the most urgent first, and what they have answered. Live.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_core::run::PilotAct;
use windlass_store::{InterventionFilter, InterventionMetrics, InterventionRow, Store};

use super::error::PageProblem;
use super::instance_actions::text_of;
use super::live::{watch, whole};
use super::render::{For, Me, Moment, moment, page_for, render, took};
use super::runs::short_id;
use super::template_instantiate::{Filled, fields_of};
use super::workflow::Told;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::app::{App, Shared};
use crate::http::paging::{cursor, place};
use crate::http::problem::{self, Problem};
use crate::units::pilot;

/// Requests of a page.
const PAGE_SIZE: usize = 50;
/// Where a request stands that nobody has answered.
const PENDING: &str = "PENDING";
const STATUSES: [&str; 4] = [PENDING, "APPROVED", "REJECTED", "EXPIRED"];

/// Which requests.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    /// Those that wait, if left out.
    status: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    tab: &'static str,
    title: &'static str,
    #[serde(flatten)]
    shown: Shown,
    statuses: [&'static str; 4],
    is_first: bool,
    next: Option<String>,
    live: Option<String>,
    problem: Option<Told>,
}

#[derive(Serialize)]
struct Shown {
    rows: Vec<Row>,
    metrics: Metrics,
    status: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    priority: String,
    kind: String,
    title: String,
    description: String,
    unit_id: String,
    unit_short: String,
    status: String,
    /// Whether somebody may still answer.
    is_open: bool,
    /// Whether the answer is a text that the unit goes on with.
    needs_text: bool,
    created: Moment,
    expires: Moment,
    by: Option<String>,
    reason: Option<String>,
    at: Option<Moment>,
    /// What was typed, if that was refused.
    typed: String,
}

#[derive(Debug, Serialize)]
struct Metrics {
    total: u64,
    pending: u64,
    approved: u64,
    rejected: u64,
    mean: Option<String>,
    by_kind: Vec<(String, u64)>,
    by_priority: Vec<(String, u64)>,
    top: Vec<(String, u64)>,
}

impl From<InterventionRow> for Row {
    fn from(row: InterventionRow) -> Row {
        let unit_id = row.unit_id.to_string();
        Row {
            id: row.request_id.to_string(),
            priority: row.priority,
            needs_text: row.kind == "clarification",
            kind: row.kind,
            title: row.title,
            description: row.description,
            unit_short: short_id(&unit_id),
            unit_id,
            is_open: row.status == PENDING,
            status: row.status,
            created: moment(row.created_at),
            expires: moment(row.expires_at),
            by: row.action_by.map(|by| super::unit_story::who(&by)),
            reason: row.action_reason.filter(|reason| !reason.is_empty()),
            at: row.action_at.map(moment),
            typed: String::new(),
        }
    }
}

impl From<InterventionMetrics> for Metrics {
    fn from(metrics: InterventionMetrics) -> Metrics {
        let of = |status: &str| metrics.by_status.get(status).copied().unwrap_or_default();
        let mean = metrics.mean_resolution_micros.and_then(|mean| u64::try_from(mean).ok());
        Metrics {
            total: metrics.total,
            pending: of(PENDING),
            approved: of("APPROVED"),
            rejected: of("REJECTED"),
            mean: mean.map(|mean| took(Duration::from_micros(mean))),
            by_kind: metrics.by_kind.into_iter().collect(),
            by_priority: metrics.by_priority.into_iter().collect(),
            top: metrics.top,
        }
    }
}

async fn read(
    app: &App,
    caller: &Caller,
    status: &str,
    offset: usize,
) -> Result<(Shown, bool), Problem> {
    let project = caller.project().to_owned();
    let filter = InterventionFilter {
        status: (status != "ALL").then(|| status.to_owned()),
        ..InterventionFilter::default()
    };
    let look = move |store: &dyn Store| {
        let page = store.interventions(&project, &filter, PAGE_SIZE, offset)?;
        Ok((page, store.intervention_metrics(&project)?))
    };
    let (page, metrics) = app.engine.read(look).await?;
    let rows = page.items.into_iter().map(Row::from).collect();
    Ok((Shown { rows, metrics: metrics.into(), status: status.to_owned() }, page.has_more))
}

/// The word of a status, as addresses have it.
fn status_of(query: &Query) -> Result<&'static str, Problem> {
    let Some(word) = query.status.as_deref().filter(|word| !word.is_empty()) else {
        return Ok(PENDING);
    };
    let known = STATUSES.into_iter().chain(["ALL"]).find(|one| one.eq_ignore_ascii_case(word));
    known.ok_or_else(|| Problem::parameter("status", format!("no request is ever `{word:.40}`")))
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    show(&app, &caller, &query, None).await
}

async fn show(
    app: &Arc<App>,
    caller: &Caller,
    query: &Query,
    refused: Option<(Uuid, String, Problem)>,
) -> Result<Response, PageProblem> {
    let status = status_of(query)?;
    let offset: usize = place(query.cursor.as_deref())?.unwrap_or(0);
    let (mut shown, has_more) = read(app, caller, status, offset).await?;
    let mut code = axum::http::StatusCode::OK;
    let problem = refused.map(|(id, typed, problem)| {
        let id = id.to_string();
        if let Some(row) = shown.rows.iter_mut().find(|row| row.id == id) {
            row.typed = typed;
        }
        code = problem.status();
        Told::from(problem)
    });
    let next = has_more.then(|| {
        format!("/interventions?status={status}&cursor={}", cursor(&(offset + PAGE_SIZE)))
    });
    let context = Context {
        nav: "instances",
        tab: "interventions",
        title: "Interventions",
        shown,
        statuses: STATUSES,
        is_first: offset == 0,
        next,
        live: (offset == 0).then(|| format!("/live/interventions?status={status}")),
        problem,
    };
    Ok((code, page_for("interventions.html", &Me::of(app, caller), context)).into_response())
}

/// The list and the numbers anew whenever they have changed.
pub(super) async fn live(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let status = status_of(&query)?;
    let (of, whose) = (app.clone(), caller.clone());
    Ok(watch(&app, &caller, None, move || {
        let (app, caller) = (of.clone(), whose.clone());
        async move {
            let (shown, _) = read(&app, &caller, status, 0).await?;
            let me = Me::of(&app, &caller);
            let metrics = render("parts/intervention_metrics.html", &shown);
            let rows = render("parts/intervention_rows.html", For { me: &me, context: shown });
            Ok(vec![whole("metrics", metrics), whole("rows", rows)])
        }
    }))
}

async fn answer(
    app: &Arc<App>,
    caller: &Caller,
    word: &str,
    filled: Filled,
    is_yes: bool,
) -> Result<Response, PageProblem> {
    let filled = fields_of(filled)?;
    let id = Uuid::parse_str(word).ok();
    let project = caller.project().to_owned();
    let row = match id {
        Some(id) => app.engine.read(move |store| store.intervention(&project, id)).await?,
        None => None,
    };
    let row = row.ok_or_else(|| {
        let message = format!("there is no request `{word:.64}`");
        Problem::new(problem::INTERVENTION_NOT_FOUND, message)
    })?;
    match told(app, caller, &row, &filled, is_yes).await {
        Ok(()) => Ok(Redirect::to("/interventions").into_response()),
        // What was typed must not be lost with the refusal.
        Err(problem) => {
            let typed = filled.get("reason").cloned().unwrap_or_default();
            let refused = Some((row.request_id, typed, problem));
            show(app, caller, &Query::default(), refused).await
        }
    }
}

async fn told(
    app: &App,
    caller: &Caller,
    row: &InterventionRow,
    filled: &BTreeMap<String, String>,
    is_yes: bool,
) -> Result<(), Problem> {
    if row.status != PENDING {
        let by = row.action_by.as_deref().map(|by| format!(" by `{by}`")).unwrap_or_default();
        let status = row.status.to_lowercase();
        let message = format!("it was answered already: {status}{by}");
        return Err(Problem::new(problem::UNIT_STATE, message));
    }
    let reason = text_of("reason", filled).ok_or_else(|| {
        let message = match row.kind.as_str() {
            "clarification" if is_yes => "say what the unit is to know",
            _ => "say why",
        };
        Problem::parameter("reason", message)
    })?;
    let act = match (row.kind.as_str(), is_yes) {
        (_, false) => PilotAct::Cancel { reason },
        ("clarification", true) => PilotAct::Clarify { text: reason },
        (_, true) => PilotAct::Approve { reason },
    };
    pilot::act(app, caller, row.unit_id, act).await.map(drop)
}

pub(super) async fn approve(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    answer(&app, &caller, &word, filled, true).await
}

pub(super) async fn reject(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    filled: Filled,
) -> Result<Response, PageProblem> {
    answer(&app, &caller, &word, filled, false).await
}
