//! `/runs/{id}?step=PATH`: one step in a drawer beside the page of its run. `/runs/{id}/drawer` is the
//! drawer alone, for a page that is open already.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use windlass_core::definition::Plan;
use windlass_core::run::{StepStatus, observed, path};
use windlass_core::{Failure, Time};
use windlass_store::{LogFilter, RunRow, Store, StoreError};

use super::attempts::{self, Attempt};
use super::conversation::{self, Entry, last_words};
use super::error::PageProblem;
use super::render::{Me, Moment, json, moment, page_for, took};
use super::run::Query;
use super::run_at;
use super::run_view::{Line, attempts_max, title};
use super::traceback::details;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::{StepBody, not_yet, whole};
use crate::api::why::{StepCause, WhyBody};
use crate::app::{App, Shared};
use crate::http::problem::{Problem, STEP_NOT_FOUND};

/// Log lines of a step that are shown: the last ones.
const LINES_SHOWN: usize = 100;
/// Lines of the run among which those of a step are looked for, from its end.
const LINES_READ_MAX: usize = 2_000;
/// Steps of the run among which one is looked for.
const STEPS_READ_MAX: u32 = 500_000;
/// Attempts that are listed: the last ones.
const ATTEMPTS_SHOWN: usize = 20;

/// A step, with all that is known of it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Drawer {
    run_id: String,
    path: String,
    /// What people call its node, if that is something else.
    title: Option<String>,
    kind: String,
    status: &'static str,
    reason: Option<String>,
    /// How many steps are lives of its node, if a node was asked for and not a step.
    count: usize,
    attempt: u32,
    attempts_max: Option<u32>,
    queued: Option<Moment>,
    started: Option<Moment>,
    finished: Option<Moment>,
    due: Option<Moment>,
    waited: Option<String>,
    took: Option<String>,
    attempts: Vec<Tried>,
    because: Option<StepCause>,
    error: Option<Failure>,
    /// How the program came to fail, and what else is known of that.
    error_trace: Option<String>,
    error_details: Option<String>,
    input: Option<String>,
    output: Option<String>,
    /// What a model and its tools have said.
    conversation: Vec<Entry>,
    /// How many answers of it are journaled.
    turn_count: u64,
    /// What a model says just now; `None` for steps in which none does.
    said: Option<String>,
    lines: Vec<Line>,
    has_more_lines: bool,
    /// Whether somebody has to say how it has ended, or may.
    must_settle: bool,
    can_settle: bool,
    /// Whether a new run could begin here.
    can_rerun: bool,
    /// The page without the drawer.
    close: String,
}

/// An attempt, for people.
#[derive(Debug, Serialize)]
struct Tried {
    number: u32,
    status: &'static str,
    began: Option<Moment>,
    took: Option<String>,
    error: Option<Failure>,
}

impl From<Attempt> for Tried {
    fn from(attempt: Attempt) -> Tried {
        Tried {
            number: attempt.number,
            status: attempt.status,
            began: attempt.began.map(moment),
            took: attempt.ended.zip(attempt.began).map(|(end, began)| took(end.since(began))),
            error: attempt.error,
        }
    }
}

/// Which step of which run, and as of when.
pub(super) struct Wanted<'a> {
    /// The run.
    pub(super) row: &'a RunRow,
    /// Its definition.
    pub(super) plan: Option<&'a Plan>,
    /// The step's path, or the address of its node.
    pub(super) step: &'a str,
    /// The page without the drawer.
    pub(super) close: String,
    /// Lines that were written later are left out.
    pub(super) until: Option<Time>,
}

/// The drawer alone.
pub(super) async fn part(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find(&app, caller.project(), &word).await?;
    let (drawer, me) = match query.at(&app, &row) {
        Some(at) => {
            let drawer = run_at::drawer(&app, row, &query, at).await?;
            (drawer, Me { may_operate: false, ..Me::of(&app, &caller) })
        }
        None => (now(&app, row, &query).await?, Me::of(&app, &caller)),
    };
    let drawer = drawer.ok_or_else(|| Problem::parameter("step", "which step is missing"))?;
    let context = std::collections::BTreeMap::from([("drawer", drawer)]);
    Ok(page_for("parts/drawer.html", &me, context).into_response())
}

/// The drawer as of now; `None` if no step is chosen.
///
/// # Errors
///
/// If there is no such step.
pub(super) async fn now(app: &App, row: RunRow, query: &Query) -> Result<Option<Drawer>, Problem> {
    let Some(step) = query.step.clone() else { return Ok(None) };
    let (definitions, close) = (app.engine.definitions().clone(), query.without_step(row.run_id));
    let (run_id, for_why, asked) = (row.run_id, row.clone(), step.clone());
    let look = move |store: &dyn Store| {
        // What the caller has of the run may be of before.
        let row = store.overview(run_id, 0)?.map_or(row, |overview| overview.row);
        let plan = definitions.plan(row.definition_id).ok();
        let (plan, step) = (plan.as_deref(), step.as_str());
        read(store, store, Wanted { row: &row, plan, step, close, until: None })
    };
    let missing =
        || Problem::new(STEP_NOT_FOUND, format!("there is no step `{asked}` in this run"));
    let mut drawer = app.engine.read(look).await?.ok_or_else(missing)?;
    if drawer.finished.is_none() && !for_why.status.is_terminal() {
        // A reason that cannot be told now is left out.
        let why = app.engine.why(run_id, Some(drawer.path.clone())).await.ok();
        drawer.because = why.and_then(|why| WhyBody::of(&for_why, why).steps.pop());
    }
    drawer.said = said(app, run_id, &drawer);
    Ok(Some(drawer))
}

/// What a model says in a step just now, as far as the conversation does not have it.
fn said(app: &App, run_id: Uuid, drawer: &Drawer) -> Option<String> {
    if !matches!(drawer.kind.as_str(), "agent" | "llm") || drawer.status != "running" {
        return None;
    }
    let said = app.engine.live().said(run_id, &drawer.path);
    let said = said.filter(|said| said.turn > drawer.turn_count);
    match said {
        Some(said) => Some(last_words(&said.text)),
        // While a tool is used nobody speaks.
        None => (!drawer.conversation.last().is_some_and(Entry::has_calls)).then(String::new),
    }
}

/// Reads a step; `None` if there is none. Log lines may be in another store than the rest.
///
/// # Errors
///
/// If a store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    logs: &dyn Store,
    wanted: Wanted<'_>,
) -> Result<Option<Drawer>, StoreError> {
    let (row, plan) = (wanted.row, wanted.plan);
    let (body, count, tried, from) = match look_for(store, row.run_id, wanted.step)? {
        Some((step, count)) => {
            let from = step.input_seq.or(step.end_seq).unwrap_or(1);
            let tried = attempts::read(store, row.run_id, &[&step.path], from)?;
            let tried = tried.into_values().next().unwrap_or_default();
            (whole(store, row, &step)?, count, tried, from)
        }
        None => match plan.and_then(|plan| pending(plan, row, wanted.step)) {
            Some(body) => (body, 1, Vec::new(), 1),
            None => return Ok(None),
        },
    };
    let (lines, has_more_lines) = lines(logs, row.run_id, &body.path, wanted.until)?;
    let place = (row.run_id, body.path.as_str(), from);
    let (conversation, turn_count) =
        conversation::read(store, place, &body.kind, body.input.as_ref())?;
    let mut drawer = shown(row, plan, body);
    (drawer.conversation, drawer.turn_count) = (conversation, turn_count);
    let skipped = tried.len().saturating_sub(ATTEMPTS_SHOWN);
    drawer.attempts = tried.into_iter().skip(skipped).map(Tried::from).collect();
    (drawer.count, drawer.close) = (count, wanted.close);
    (drawer.lines, drawer.has_more_lines) = (lines, has_more_lines);
    Ok(Some(drawer))
}

impl Drawer {
    /// A step that has not come up at the event at which its run is looked at.
    pub(super) fn not_there(run_id: Uuid, path: &str, close: String) -> Drawer {
        Drawer {
            run_id: run_id.to_string(),
            path: path.to_owned(),
            status: StepStatus::Pending.as_str(),
            close,
            ..Drawer::default()
        }
    }
}

/// The step of this path. If that is the address of a node, the step among its lives that needs to be
/// seen first, and how many there are.
fn look_for(
    store: &dyn Store,
    run_id: Uuid,
    word: &str,
) -> Result<Option<(windlass_store::StepRow, usize)>, StoreError> {
    let (mut best, mut count, mut after) = (None, 0, None);
    loop {
        let page = store.steps(run_id, after, 1_000)?;
        after = page.items.last().map(|step| step.ordinal);
        for step in page.items {
            if step.path == word {
                return Ok(Some((step, 1)));
            }
            if path::address_of(&step.path) != word {
                continue;
            }
            count += 1;
            let weight = match step.status {
                StepStatus::Failed => 3,
                status if !status.is_terminal() => 2,
                StepStatus::Skipped => 0,
                _ => 1,
            };
            if best.as_ref().is_none_or(|(heaviest, _)| weight > *heaviest) {
                best = Some((weight, step));
            }
        }
        if !page.has_more || after.is_none_or(|after| after >= STEPS_READ_MAX) {
            return Ok(best.map(|(_, step)| (step, count)));
        }
    }
}

/// A node of the run's own graph whose turn has not come.
fn pending(plan: &Plan, row: &RunRow, word: &str) -> Option<StepBody> {
    let node = plan.graph.nodes.iter().find(|node| node.id == word)?;
    (!row.status.is_terminal()).then(|| not_yet(&node.id, node.kind.name))
}

/// The last lines of a step, and whether it may have written more.
fn lines(
    store: &dyn Store,
    run_id: Uuid,
    path: &str,
    until: Option<Time>,
) -> Result<(Vec<Line>, bool), StoreError> {
    let last = store.overview(run_id, 0)?.map_or(0, |overview| overview.last_log_seq);
    let window = u64::try_from(LINES_READ_MAX).unwrap_or(u64::MAX);
    let after = last.saturating_sub(window);
    let of_step = LogFilter { path: Some(path.to_owned()), ..LogFilter::default() };
    let mut found = store.logs(run_id, after, &of_step, LINES_READ_MAX)?.items;
    let mut has_more = after > 0;
    if found.is_empty() && after > 0 {
        // It has written long ago, if at all.
        let first = store.logs(run_id, 0, &of_step, LINES_SHOWN)?;
        (found, has_more) = (first.items, first.has_more);
    }
    found.retain(|line| until.is_none_or(|until| line.at <= until));
    let skipped = found.len().saturating_sub(LINES_SHOWN);
    let lines = found.into_iter().skip(skipped).map(Line::from).collect();
    Ok((lines, has_more || skipped > 0))
}

fn shown(row: &RunRow, plan: Option<&Plan>, step: StepBody) -> Drawer {
    let node = plan.and_then(|plan| plan.locate(&step.path)).map(|(_, node)| node);
    let time = |text: &Option<String>| text.as_deref().and_then(Time::parse);
    let (queued, started, finished) =
        (time(&step.queued_at), time(&step.started_at), time(&step.finished_at));
    let is_over = row.status.is_terminal();
    let is_moving = !matches!(step.status, "pending" | "skipped");
    let is_own = path::scope_of(&step.path).is_empty() && !step.path.ends_with(path::UNDO);
    let is_ours = step.kind != observed::TASK;
    let is_block = node.is_none_or(|node| !node.bodies.is_empty());
    let must_settle = step.status == "waiting" && step.reason.as_deref() == Some("outcome_unknown");
    let is_asking = step.reason.as_deref() == Some("approval");
    let is_open =
        !is_asking && matches!(step.status, "queued" | "running" | "backing_off" | "waiting");
    // The program that runs it says when it began, and nothing of any turn.
    let queued = queued.filter(|_| is_ours);
    let (error_trace, error_details) = details(step.error.as_ref());
    let waited = started.zip(queued).map(|(started, queued)| started.since(queued));
    Drawer {
        run_id: row.run_id.to_string(),
        title: title(&step.path, plan),
        attempts_max: attempts_max(node),
        attempt: step.attempt,
        queued: queued.map(moment),
        started: started.map(moment),
        finished: finished.map(moment),
        due: time(&step.due_at).map(moment),
        waited: waited.filter(|waited| !waited.is_zero()).map(took),
        took: finished.zip(started).filter(|_| is_moving).map(|(end, from)| took(end.since(from))),
        error_trace,
        error_details,
        error: step.error,
        input: step.input.as_ref().map(json),
        output: step.output.as_ref().map(json),
        must_settle,
        can_settle: is_ours && is_open && !must_settle && !is_block && !is_over,
        can_rerun: is_ours && is_over && is_own && is_moving,
        path: step.path,
        kind: step.kind,
        status: step.status,
        reason: step.reason,
        ..Drawer::default()
    }
}
