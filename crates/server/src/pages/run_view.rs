//! What the page of a run shows, from what the store knows.

use serde::Serialize;
use windlass_core::definition::{Node, Plan};
use windlass_core::run::token::{TokenPlan, UnitStatus};
use windlass_core::run::{StepStatus, observed, path};
use windlass_core::template::Template;
use windlass_core::{Failure, Time};
use windlass_engine::Definitions;
use windlass_engine::triggers::TRIGGER_LABEL;
use windlass_store::{LogLevel, LogRow, RunRow, Store, StoreError, UnitCount, UnitRow};

use super::graph;
use super::marks::{Marker, Piece};
use super::render::{Moment, json, moment, took};
use super::run_errors::{self, Wrong};
use super::runs::{lasted, short_id};
use super::started::{self, Origin, Started};
use super::step_filter::{self, Choice, StepFilter};
use super::timeline::{self, Span, Timeline};
use super::traceback::details;
use super::unit_rows::UnitLine;
use super::usage::{self, Took};
use crate::api::run::{ObservedBody, RunBody};
use crate::api::step::{StepBody, StepPlace, bodies, read_steps};
use crate::client::segment;

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
    /// The run at whose end it began.
    pub(super) trigger: Option<Origin>,
    /// The runs that began at its end.
    pub(super) started: Option<Started>,
    /// The end of that one's id.
    pub rerun_of_short: Option<String>,
    /// The input.
    pub input: String,
    /// Whether that is more than a look.
    pub is_input_long: bool,
    /// The output.
    pub output: Option<String>,
    /// The error.
    pub error: Option<Failure>,
    /// How its program came to fail.
    pub error_trace: Option<String>,
    /// How many steps stand where, in the order of a life.
    pub counts: Vec<Count>,
    /// How many steps there are.
    pub total: u32,
    /// What went wrong in its steps.
    pub(super) wrong: Wrong,
    /// What its models have taken.
    pub usage: Option<Took>,
    /// Whether it is over.
    pub is_over: bool,
    /// The instance, if it is a run of units of work.
    pub instance: Option<String>,
    /// What is known of it because another program drives it.
    pub observed: Option<ObservedBody>,
    /// Whether that program has not said yet which flow it is of.
    pub is_of_unknown: bool,
    /// More about it, as that program says.
    pub metadata: Option<String>,
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
    /// Where the steps of this status are.
    pub href: Option<String>,
}

/// A row of the table of steps.
#[derive(Debug, Serialize)]
pub struct StepRowView {
    /// The id of its element.
    pub key: String,
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
    /// Why it failed, in a line.
    pub error: Option<String>,
    /// Where its drawer opens.
    pub href: String,
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
    /// How serious it is.
    pub level: Option<&'static str>,
    /// The text.
    pub text: String,
    /// The same in pieces, if words in it are marked.
    pub(super) pieces: Vec<Piece>,
}

impl Line {
    /// The same with what is looked for marked.
    pub(super) fn marked(mut self, marker: &Marker) -> Line {
        self.pieces = marker.pieces(&self.text);
        self
    }
}

impl From<LogRow> for Line {
    fn from(row: LogRow) -> Line {
        Line {
            log_seq: row.log_seq,
            at: moment(row.at),
            path: row.path,
            stream: row.stream.as_str(),
            level: row.level.map(LogLevel::as_str),
            text: row.text,
            pieces: Vec::new(),
        }
    }
}

/// Everything that changes while a run goes on.
#[derive(Debug)]
pub struct Shown {
    /// The run's row, which all of it is made from.
    pub row: RunRow,
    /// The upper part.
    pub head: Head,
    /// The graph, as SVG; empty if there is no definition any more, `None` if nobody has described it.
    pub graph: Option<String>,
    /// The timeline.
    pub(super) timeline: Timeline,
    /// The steps of the page.
    pub steps: Vec<StepRowView>,
    /// The ways to steps of one status.
    pub(super) choices: Vec<Choice>,
    /// Its units of work, in the order in which they came up, if it is a token run.
    pub(super) units: Vec<UnitLine>,
    /// Where the next page begins.
    pub next: Option<StepPlace>,
    /// The number of the last log line.
    pub log_seq: u64,
}

/// What a page asks for.
pub struct Wanted {
    /// The run.
    pub run_id: uuid::Uuid,
    /// Where its page of steps begins.
    pub place: Option<StepPlace>,
    /// Which steps it has.
    pub(super) filter: StepFilter,
    /// As of when.
    pub now: Time,
    /// The page's address, with as much of its query as links to steps keep.
    pub here: String,
}

impl Wanted {
    /// Where the drawer of a step opens.
    pub(super) fn link(&self, step: &str) -> String {
        let joint = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{joint}step={}", self.here, segment(step))
    }
}

/// Reads what the page of a run shows.
///
/// # Errors
///
/// If the store cannot be read.
pub fn read(
    store: &dyn Store,
    definitions: &Definitions,
    wanted: &Wanted,
) -> Result<Option<Shown>, StoreError> {
    let Wanted { run_id, place, now, filter, .. } = *wanted;
    let is_all = place.is_none() && filter.status.is_none();
    let first = if is_all { STEPS_SHOWN } else { 0 };
    let Some(overview) = store.overview(run_id, first)? else { return Ok(None) };
    let row = overview.row;
    let plan = definitions.plan(row.definition_id).ok();
    let plan = plan.as_deref();
    let (steps, next) = match (filter.status, place) {
        (Some(status), place) => step_filter::read(store, &row, status, place)?,
        (None, None) => bodies(store, &row, overview.steps, plan, STEPS_SHOWN)?,
        (None, place) => read_steps(store, &row, plan, place, STEPS_SHOWN)?,
    };
    let link = |step: &str| wanted.link(step);
    let mut units = Vec::new();
    let mut unit_counts = None;
    let graph = match plan {
        Some(Plan { tokens: Some(tokens), .. }) => {
            let rows = store.units_of_run(run_id, None, UNITS_READ)?.items;
            let counts = counted(&rows);
            units.extend(rows.into_iter().take(STEPS_SHOWN).map(UnitLine::from));
            let svg = tokens_graph(tokens, &counts, row.workflow_id);
            unit_counts = Some(counts);
            Some(svg)
        }
        Some(plan) => {
            let standings = store.standings(run_id)?;
            let standing = graph::Standing { row: &row, nodes: &standings, link: &link };
            graph::draw(plan, Some(&standing))
        }
        None => Some(String::new()),
    };
    let timeline = timeline::read(store, &row, &Span::of(&row, now), &link)?;
    let steps = steps.into_iter().map(|step| step_row(step, plan, &link)).collect();
    let log_seq = overview.last_log_seq;
    let mut head = head(store, row.clone())?;
    head.wrong = run_errors::read(store, store, &row, &link)?;
    if head.is_over {
        head.started = started::read(store, &row)?;
    }
    let choices = filter.choices(&wanted.here, &row.counts);
    if let Some(counts) = unit_counts {
        head.instance = Some(row.workflow_id.to_string());
        head.counts = bar_of(&counts);
    } else {
        for part in &mut head.counts {
            let way = choices.iter().find(|choice| choice.status == part.status);
            part.href = way.map(|way| way.href.clone());
        }
    }
    Ok(Some(Shown { row, head, graph, timeline, steps, choices, units, next, log_seq }))
}

/// An input of more bytes or lines is folded.
const INPUT_SHORT: usize = 1_200;
const INPUT_LINES_SHORT: usize = 16;
/// Units of a run that are counted.
const UNITS_READ: usize = 1_000;

/// How many units stand where.
fn counted(rows: &[UnitRow]) -> Vec<UnitCount> {
    let count = |row: &UnitRow| UnitCount {
        workflow: row.workflow.clone(),
        place: row.place.clone(),
        status: row.status.clone(),
        count: 1,
    };
    rows.iter().map(count).collect()
}

/// The graphs of the workflows that a run's units are in, one below the other.
fn tokens_graph(tokens: &TokenPlan, counts: &[UnitCount], instance_id: uuid::Uuid) -> String {
    let is_used = |name: &String| {
        *name == tokens.master || counts.iter().any(|count| count.workflow == *name)
    };
    let used = tokens.workflows.iter().filter(|(name, _)| is_used(name));
    let draw = |(number, (_, workflow)): (usize, (&String, &Template))| {
        super::template_view::graph(workflow, number, counts, instance_id)
    };
    (1..).zip(used).map(draw).collect()
}

fn bar_of(counts: &[UnitCount]) -> Vec<Count> {
    let of = |status: UnitStatus| -> u64 {
        let own = counts.iter().filter(|count| count.status == status.as_str());
        own.map(|count| count.count).sum()
    };
    let pairs = super::instance_view::ORDER.map(|status| (status.as_str(), of(status)));
    let part = |part: super::instance_view::Count| Count {
        status: part.status,
        count: u32::try_from(part.count).unwrap_or(u32::MAX),
        x: part.x,
        width: part.width,
        href: None,
    };
    super::instance_view::bar(&pairs).into_iter().map(part).collect()
}

fn head(store: &dyn Store, row: RunRow) -> Result<Head, StoreError> {
    let is_over = row.status.is_terminal();
    let (created, finished) = (row.created_at, row.finished_at);
    let lasted = lasted(&row);
    let counts = counts(&row.counts);
    let usage = usage::took(&store.usage_of_run(row.run_id)?);
    let trigger = row.labels.get(TRIGGER_LABEL).map(|id| started::origin(store, id)).transpose()?;
    let began = row.started_at;
    let body = RunBody::read(store, row)?;
    // What another program runs was told of later than it began.
    let created = began.filter(|_| body.observed.is_some()).unwrap_or(created);
    let id = body.id.to_string();
    let is_unknown = body.workflow == observed::UNKNOWN_FLOW;
    let input = json(&body.input);
    Ok(Head {
        short_id: short_id(&id),
        id,
        workflow: body.workflow,
        version: body.version,
        status: body.status,
        reason: body.reason,
        created: moment(created),
        finished: finished.map(moment),
        took: lasted.map(took),
        trigger,
        started: None,
        labels: body.labels.into_iter().filter(|(key, _)| key != TRIGGER_LABEL).collect(),
        external_id: body.external_id,
        rerun_of: body.rerun_of.map(|id| id.to_string()),
        rerun_of_short: body.rerun_of.map(|id| short_id(&id.to_string())),
        is_input_long: input.len() > INPUT_SHORT || input.lines().count() > INPUT_LINES_SHORT,
        input,
        output: body.output.as_ref().map(json),
        error_trace: details(body.error.as_ref()).0,
        error: body.error,
        counts,
        wrong: Wrong::default(),
        total: body.steps_total,
        usage,
        is_over,
        instance: None,
        is_of_unknown: body.observed.is_some() && is_unknown,
        metadata: body.observed.as_ref().and_then(|it| it.metadata.as_ref()).map(json),
        observed: body.observed,
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
        Count { status: status.as_str(), count, x, width: before * 1_000 / total - x, href: None }
    };
    ORDER.into_iter().map(part).filter(|part| part.count > 0).collect()
}

/// How many attempts a node may have, if that is more than one.
pub(super) fn attempts_max(node: Option<&Node>) -> Option<u32> {
    let most = node?.retry.as_ref()?.max_attempts;
    Some(most).filter(|most| *most > 1)
}

fn step_row(step: StepBody, plan: Option<&Plan>, link: &dyn Fn(&str) -> String) -> StepRowView {
    let node = plan.and_then(|plan| plan.locate(&step.path)).map(|(_, node)| node);
    let time = |text: &Option<String>| text.as_deref().and_then(Time::parse);
    let began = time(&step.started_at).or_else(|| time(&step.queued_at));
    let span = time(&step.finished_at).zip(began).filter(|_| step.status != "skipped");
    StepRowView {
        key: format!("step-{}", step.path),
        href: link(&step.path),
        title: title(&step.path, plan),
        attempts_max: attempts_max(node),
        path: step.path,
        kind: step.kind,
        status: step.status,
        reason: step.reason,
        attempt: step.attempt,
        took: span.map(|(end, began)| took(end.since(began))),
        error: step.error.map(|error| error.to_string()),
    }
}

/// What people call the node of a step. A step that undoes another one has the other's name.
pub(super) fn title(step: &str, plan: Option<&Plan>) -> Option<String> {
    let done = step.strip_suffix(path::UNDO);
    let (_, node) = plan?.locate(done.unwrap_or(step))?;
    match done {
        None => node.title.clone(),
        Some(_) => Some(format!("Undoes: {}", node.title.as_ref().unwrap_or(&node.id))),
    }
}
