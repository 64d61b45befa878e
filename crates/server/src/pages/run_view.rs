//! What the page of a run shows, from what the store knows.

use std::time::Duration;

use serde::Serialize;
use windlass_core::definition::Plan;
use windlass_core::run::{StepStatus, path};
use windlass_core::{Failure, Time};
use windlass_engine::Definitions;
use windlass_store::{LogRow, RunRow, Store, StoreError};

use super::graph;
use super::render::{Moment, json, moment, took};
use super::runs::short_id;
use crate::api::run::RunBody;
use crate::api::step::{StepBody, StepPlace, bodies, read_steps};

/// Steps of a page.
pub const STEPS_SHOWN: usize = 100;
/// Log lines of a page.
pub const LINES_SHOWN: usize = 200;

/// The upper part: what the run is and how it stands.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Its id.
    pub id: String,
    /// The end of its id.
    pub short_id: String,
    /// The workflow.
    pub workflow: String,
    /// Its version.
    pub version: u32,
    /// How it stands.
    pub status: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// When it was created.
    pub created: Moment,
    /// When it ended.
    pub finished: Option<Moment>,
    /// How long it took.
    pub took: Option<String>,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// What the caller calls it.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<String>,
    /// The end of that one's id.
    pub rerun_of_short: Option<String>,
    /// The input.
    pub input: String,
    /// The output.
    pub output: Option<String>,
    /// The error.
    pub error: Option<Failure>,
    /// How many steps stand where, in the order of a life.
    pub counts: Vec<Count>,
    /// How many steps there are.
    pub total: u32,
    /// Whether it is over.
    pub is_over: bool,
}

/// Steps of one status, and their part of a bar of 1,000 units.
#[derive(Debug, Serialize)]
pub struct Count {
    /// The status.
    pub status: &'static str,
    /// How many.
    pub count: u32,
    /// Where the part begins.
    pub x: u64,
    /// How wide it is.
    pub width: u64,
}

/// A row of the table of steps.
#[derive(Debug, Serialize)]
pub struct StepRowView {
    /// The id of its element.
    pub key: String,
    /// The run's id.
    pub run_id: String,
    /// Its path.
    pub path: String,
    /// What people call its node, if that is something else.
    pub title: Option<String>,
    /// The kind of its node.
    pub kind: String,
    /// How it stands.
    pub status: &'static str,
    /// Why.
    pub reason: Option<String>,
    /// Which attempt.
    pub attempt: u32,
    /// How many there may be.
    pub attempts_max: Option<u32>,
    /// How long it took.
    pub took: Option<String>,
    /// Until when it waits.
    pub due: Option<Moment>,
    /// When it began.
    pub started: Option<Moment>,
    /// Its place in the run's time, of 1,000 units: where it begins and how wide it is.
    pub bar: Option<(u64, u64)>,
    /// The input.
    pub input: Option<String>,
    /// The output.
    pub output: Option<String>,
    /// The error.
    pub error: Option<Failure>,
    /// Its details.
    pub error_details: Option<String>,
    /// Whether a new run could begin here.
    pub can_rerun: bool,
}

/// A log line.
#[derive(Debug, Serialize)]
pub struct Line {
    /// Its number.
    pub log_seq: u64,
    /// When it was written.
    pub at: Moment,
    /// The step.
    pub path: String,
    /// Where to.
    pub stream: &'static str,
    /// The text.
    pub text: String,
}

impl From<LogRow> for Line {
    fn from(row: LogRow) -> Line {
        Line {
            log_seq: row.log_seq,
            at: moment(row.at),
            path: row.path,
            stream: row.stream.as_str(),
            text: row.text,
        }
    }
}

/// Everything that changes while a run goes on.
#[derive(Debug)]
pub struct Shown {
    /// The upper part.
    pub head: Head,
    /// The graph, as SVG; empty if there is no definition any more.
    pub graph: String,
    /// The steps of the page.
    pub steps: Vec<StepRowView>,
    /// Where the next page begins.
    pub next: Option<StepPlace>,
    /// The number of the last event that is in it.
    pub seq: u64,
    /// The number of the last log line.
    pub log_seq: u64,
}

/// Reads what the page of a run shows.
///
/// # Errors
///
/// If the store cannot be read.
pub fn read(
    store: &dyn Store,
    definitions: &Definitions,
    run_id: uuid::Uuid,
    place: Option<StepPlace>,
    now: Time,
) -> Result<Option<Shown>, StoreError> {
    let first = if place.is_none() { STEPS_SHOWN } else { 0 };
    let Some(overview) = store.overview(run_id, first)? else { return Ok(None) };
    let row = overview.row;
    let plan = definitions.plan(row.definition_id).ok();
    let plan = plan.as_deref();
    let (steps, next) = match place {
        None => bodies(store, &row, overview.steps, plan, STEPS_SHOWN)?,
        place => read_steps(store, &row, plan, place, STEPS_SHOWN)?,
    };
    let graph = match plan {
        Some(plan) => {
            let standings = store.standings(run_id)?;
            graph::draw(plan, Some(&graph::Standing { row: &row, nodes: &standings }))
        }
        None => String::new(),
    };
    let span = Span::of(&row, now);
    let steps = steps.into_iter().map(|step| step_row(run_id, step, plan, &span)).collect();
    let (seq, log_seq) = (row.last_seq, overview.last_log_seq);
    Ok(Some(Shown { head: head(store, row)?, graph, steps, next, seq, log_seq }))
}

/// From when to when a run has gone.
struct Span {
    start: Time,
    length: Duration,
    /// Whether the run is over.
    is_over: bool,
}

impl Span {
    fn of(row: &RunRow, now: Time) -> Span {
        let start = row.started_at.unwrap_or(row.created_at);
        let length = row.finished_at.unwrap_or(now).since(start);
        Span { start, length, is_over: row.status.is_terminal() }
    }

    fn part(&self, from: Time, to: Time) -> (u64, u64) {
        let length = self.length.as_micros().max(1);
        let unit = |wide: Duration| {
            u64::try_from(wide.as_micros() * 1_000 / length).unwrap_or(1_000).min(1_000)
        };
        let x = unit(from.since(self.start)).min(988);
        (x, unit(to.since(from)).clamp(12, 1_000 - x))
    }
}

fn head(store: &dyn Store, row: RunRow) -> Result<Head, StoreError> {
    let is_over = row.status.is_terminal();
    let (created, finished) = (row.created_at, row.finished_at);
    let span = finished.zip(row.started_at);
    let counts = counts(&row.counts);
    let body = RunBody::read(store, row)?;
    let id = body.id.to_string();
    Ok(Head {
        short_id: short_id(&id),
        id,
        workflow: body.workflow,
        version: body.version,
        status: body.status,
        reason: body.reason,
        created: moment(created),
        finished: finished.map(moment),
        took: span.map(|(end, start)| took(end.since(start))),
        labels: body.labels.into_iter().collect(),
        external_id: body.external_id,
        rerun_of: body.rerun_of.map(|id| id.to_string()),
        rerun_of_short: body.rerun_of.map(|id| short_id(&id.to_string())),
        input: json(&body.input),
        output: body.output.as_ref().map(json),
        error: body.error,
        counts,
        total: body.steps_total,
        is_over,
    })
}

/// What is done stands first, as in a bar that fills up.
const ORDER: [StepStatus; StepStatus::ALL.len()] = [
    StepStatus::Succeeded,
    StepStatus::Failed,
    StepStatus::Cancelled,
    StepStatus::Skipped,
    StepStatus::Running,
    StepStatus::BackingOff,
    StepStatus::Waiting,
    StepStatus::Paused,
    StepStatus::Queued,
    StepStatus::Pending,
];

fn counts(counts: &windlass_core::run::Counts) -> Vec<Count> {
    let total = u64::from(counts.total().max(1));
    let mut before = 0;
    let part = |status: StepStatus| {
        let (count, x) = (counts.of(status), before * 1_000 / total);
        before += u64::from(count);
        Count { status: status.as_str(), count, x, width: before * 1_000 / total - x }
    };
    ORDER.into_iter().map(part).filter(|part| part.count > 0).collect()
}

fn step_row(run_id: uuid::Uuid, step: StepBody, plan: Option<&Plan>, span: &Span) -> StepRowView {
    let node = plan.and_then(|plan| plan.locate(&step.path)).map(|(_, node)| node);
    let time = |text: &Option<String>| text.as_deref().and_then(Time::parse);
    let (queued, started, finished) =
        (time(&step.queued_at), time(&step.started_at), time(&step.finished_at));
    let began = started.or(queued);
    let is_over = finished.is_some();
    let end = finished.unwrap_or_else(|| span.start.plus(span.length));
    let is_moving = !matches!(step.status, "pending" | "skipped");
    let is_own = path::scope_of(&step.path).is_empty() && !step.path.ends_with(path::UNDO);
    let can_rerun = span.is_over && is_own && is_moving;
    StepRowView {
        key: format!("step-{}", step.path),
        run_id: run_id.to_string(),
        title: title(&step.path, plan),
        attempts_max: node
            .and_then(|node| node.retry.as_ref())
            .map(|retry| retry.max_attempts)
            .filter(|most| *most > 1),
        path: step.path,
        kind: step.kind,
        status: step.status,
        reason: step.reason,
        attempt: step.attempt,
        took: began.filter(|_| is_over && is_moving).map(|began| took(end.since(began))),
        due: time(&step.due_at).map(moment),
        started: began.map(moment),
        bar: began.filter(|_| is_moving).map(|began| span.part(began, end)),
        input: step.input.as_ref().map(json),
        output: step.output.as_ref().map(json),
        error_details: step.error.as_ref().and_then(|error| error.details.as_ref()).map(json),
        error: step.error,
        can_rerun,
    }
}

/// What people call the node of a step. A step that undoes another one has the other's name.
fn title(step: &str, plan: Option<&Plan>) -> Option<String> {
    let done = step.strip_suffix(path::UNDO);
    let (_, node) = plan?.locate(done.unwrap_or(step))?;
    match done {
        None => node.title.clone(),
        Some(_) => Some(format!("Undoes: {}", node.title.as_ref().unwrap_or(&node.id))),
    }
}
