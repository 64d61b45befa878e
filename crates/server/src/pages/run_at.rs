//! `/runs/{id}?at=SEQ`: the page of a run as it was right after an event of its journal.
//!
//! The journal up to there is folded into a store of its own, and the page is read from that. So
//! nothing about it is made in another way than the page of today.

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use windlass_engine::Definitions;
use windlass_store::{LogFilter, MemoryStore, NumberedEvent, RunRow, Store, StoreError};

use super::drawer::{self, Drawer, Wanted};
use super::error::PageProblem;
use super::render::{Me, Moment, json, moment, page_for};
use super::run::{Context, Query};
use super::run_errors;
use super::run_view::{self, LINES_SHOWN, Line, read};
use super::step_filter::StepFilter;
use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::runs::export::too_large;
use crate::api::step::StepPlace;
use crate::app::App;
use crate::client::segment;
use crate::http::paging::{cursor, place};
use crate::http::problem::Problem;
use crate::run_file::{journal, store_of};

/// An event, and the ways to others.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    /// Its number.
    seq: u64,
    /// The number of the last one.
    count: u64,
    /// What happened.
    name: &'static str,
    /// To which step.
    step: Option<String>,
    /// When.
    at: Moment,
    /// All that it says.
    fields: String,
    /// The one before it.
    previous: Option<u64>,
    /// The one after it.
    next: Option<u64>,
    /// Whether the run comes from a file.
    is_file: bool,
    /// What links to other events keep of the page's query.
    keep: String,
}

/// The page as of event `at`.
pub(super) async fn page(
    app: &App,
    caller: &Caller,
    row: RunRow,
    query: Query,
    at: u64,
) -> Result<Response, PageProblem> {
    let from: Option<StepPlace> = place(query.steps.as_deref())?;
    let count = row.last_seq;
    check(at, &row)?;
    let (definitions, asked) = (app.engine.definitions().clone(), query.clone());
    let filter = query.steps(Some(at))?;
    let look = move |store: &dyn Store| look(store, &definitions, &row, from, (at, &asked, filter));
    let Some(seen) = app.engine.read(look).await? else { return Err(too_large().into()) };
    let Seen { shown, event, lines, lines_before, lines_after, drawer } = seen;
    let body = EventBody::of(&event);
    let place = Place {
        seq: at,
        count,
        name: body.type_,
        step: event.event.fact.step().map(str::to_owned),
        at: moment(event.event.at),
        fields: json(&body.fields.into()),
        previous: (at > 1).then(|| at - 1),
        next: (at < count).then(|| at + 1),
        is_file: app.is_file,
        keep: query
            .step
            .as_ref()
            .map(|step| format!("&step={}", segment(step)))
            .unwrap_or_default(),
    };
    let context = Context {
        nav: "runs",
        title: format!("{} · {} · event {at}", shown.head.workflow, shown.head.short_id),
        run: shown.head,
        graph: shown.graph,
        timeline: shown.timeline,
        why: None,
        steps: shown.steps,
        choices: shown.choices,
        step_status: query.status.clone().unwrap_or_default(),
        units: shown.units,
        steps_next: shown.next.map(|next| cursor(&next)),
        is_first_page: from.is_none(),
        lines,
        wanted_lines: Default::default(),
        lines_before,
        lines_after,
        compare: None,
        live: None,
        place: Some(place),
        keep: format!("at={at}&{}", query.steps_kept()),
        drawer,
    };
    // What was cannot be changed.
    let me = Me { may_operate: false, ..Me::of(app, caller) };
    Ok(page_for("run.html", &me, context).into_response())
}

/// A run as it was at an event.
struct Seen {
    shown: run_view::Shown,
    event: NumberedEvent,
    lines: Vec<Line>,
    lines_before: Option<u64>,
    lines_after: Option<u64>,
    drawer: Option<Drawer>,
}

/// Refuses events that are not there.
fn check(at: u64, row: &RunRow) -> Result<(), Problem> {
    let count = row.last_seq;
    if (1..=count).contains(&at) {
        return Ok(());
    }
    let message = format!("the journal of this run has the events 1 to {count}");
    Err(Problem::parameter("at", message))
}

/// The drawer alone, as of event `at`; `None` if no step is chosen.
///
/// # Errors
///
/// If there is no such event, or the journal is too large to be folded.
pub(super) async fn drawer(
    app: &App,
    row: RunRow,
    query: &Query,
    at: u64,
) -> Result<Option<Drawer>, Problem> {
    check(at, &row)?;
    let (definitions, query) = (app.engine.definitions().clone(), query.clone());
    let look = move |store: &dyn Store| {
        let Some((folded, event)) = fold(store, &row, at)? else { return Ok(None) };
        open(store, &folded, &definitions, (&row, &event), &query).map(Some)
    };
    app.engine.read(look).await?.ok_or_else(too_large)
}

/// The journal up to an event in a store of its own, and that event; `None` if it is too large.
fn fold(
    store: &dyn Store,
    row: &RunRow,
    at: u64,
) -> Result<Option<(MemoryStore, NumberedEvent)>, StoreError> {
    let Some(mut events) = journal(store, row.run_id, at)? else { return Ok(None) };
    let folded = store_of(&row.project, &events)?;
    Ok(events.pop().map(|event| (folded, event)))
}

/// The drawer of the step that was chosen, as it was then.
fn open(
    store: &dyn Store,
    folded: &MemoryStore,
    definitions: &Definitions,
    (now, event): (&RunRow, &NumberedEvent),
    query: &Query,
) -> Result<Option<Drawer>, StoreError> {
    let Some(step) = query.step.as_deref() else { return Ok(None) };
    let close = query.without_step(now.run_id);
    let then = folded.overview(now.run_id, 0)?.map(|overview| overview.row);
    let plan = definitions.plan(now.definition_id).ok();
    let until = (event.seq < now.last_seq).then_some(event.event.at);
    let row = then.as_ref().unwrap_or(now);
    let wanted = Wanted { row, plan: plan.as_deref(), step, close: close.clone(), until };
    let found = drawer::read(folded, store, wanted)?;
    Ok(Some(found.unwrap_or_else(|| Drawer::not_there(now.run_id, step, close))))
}

/// `None` if the journal is too large to be folded for a page.
fn look(
    store: &dyn Store,
    definitions: &Definitions,
    row: &RunRow,
    from: Option<StepPlace>,
    (at, query, filter): (u64, &Query, StepFilter),
) -> Result<Option<Seen>, StoreError> {
    let run_id = row.run_id;
    let Some((folded, event)) = fold(store, row, at)? else { return Ok(None) };
    let here = query.without_step(run_id);
    let wanted = run_view::Wanted { run_id, place: from, filter, now: event.event.at, here };
    let Some(mut shown) = read(&folded, definitions, &wanted)? else { return Ok(None) };
    // The journal has no log lines.
    let link = |step: &str| wanted.link(step);
    shown.head.wrong = run_errors::read(&folded, store, &shown.row, &link)?;
    let drawer = open(store, &folded, definitions, (row, &event), query)?;
    // At the last event, lines that came after it count as well: there is no later place for them.
    let written = match at == row.last_seq {
        true => store.overview(run_id, 0)?.map_or(0, |overview| overview.last_log_seq),
        false => lines_until(store, run_id, &event)?,
    };
    let window = u64::try_from(LINES_SHOWN).unwrap_or(u64::MAX);
    let after = query.logs.unwrap_or_else(|| written.saturating_sub(window)).min(written);
    let mut lines = store.logs(run_id, after, &LogFilter::default(), LINES_SHOWN)?.items;
    lines.retain(|line| line.log_seq <= written);
    let last = lines.last().map(|line| line.log_seq);
    Ok(Some(Seen {
        shown,
        event,
        lines: lines.into_iter().map(Line::from).collect(),
        lines_before: (after > 0).then(|| after.saturating_sub(window)),
        lines_after: last.filter(|last| *last < written),
        drawer,
    }))
}

/// How many lines were written by the time of an event. Lines have their numbers in the order of
/// their times, so half of those left are passed over with each look.
fn lines_until(store: &dyn Store, run_id: Uuid, event: &NumberedEvent) -> Result<u64, StoreError> {
    let last = store.overview(run_id, 0)?.map_or(0, |overview| overview.last_log_seq);
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low + (high - low) / 2;
        let line = store.logs(run_id, middle, &LogFilter::default(), 1)?.items.pop();
        match line.filter(|line| line.at <= event.event.at) {
            Some(line) => low = line.log_seq.clamp(middle + 1, high),
            None => high = middle,
        }
    }
    Ok(low)
}
