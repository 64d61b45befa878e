//! The timeline of a run (a Gantt chart): a row for each step on one axis of time.
//!
//! The store is asked for a bounded number of steps, and a bounded number of rows is shown. Past
//! [`ALONE_MAX`] steps the lives of one node (items of a `map`, rounds of a `loop`, visits) share a
//! row. What is left out is said.

mod axis;
mod bars;

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_core::run::{StepStatus, path};
use windlass_store::{RunRow, StepRow, Store, StoreError};

use super::attempts;
use super::render::took;
pub(super) use axis::Span;
use axis::Tick;
use bars::{Part, alone, together};

/// Steps that are read.
const STEPS_READ_MAX: usize = 20_000;
/// Steps up to which each has a row of its own.
const ALONE_MAX: usize = 40;
/// Rows that are shown.
const ROWS_MAX: usize = 60;

/// The timeline of a run.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    rows: Vec<Row>,
    ticks: Vec<Tick>,
    /// How long the axis is.
    length: String,
    /// What is not in it.
    notes: Vec<String>,
}

/// A row: one step, or all lives of one node.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// What tells it from the others.
    key: String,
    /// The step's path, or the node's with `[…]` for the numbers.
    name: String,
    /// How many steps share it.
    count: usize,
    /// How it stands; of several steps, how the one stands that needs to be seen first.
    status: &'static str,
    parts: Vec<Part>,
    /// The same in words.
    told: String,
    /// How long it took.
    took: Option<String>,
    /// Where it leads to.
    href: String,
}

/// Reads the timeline.
///
/// # Errors
///
/// If the store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    row: &RunRow,
    span: &Span,
    link: &dyn Fn(&str) -> String,
) -> Result<Timeline, StoreError> {
    let mut steps = steps(store, row)?;
    let mut notes = Vec::new();
    let total = steps_come_up(row);
    if steps.len() < total {
        notes.push(format!("Only the first {} of {total} steps are in it.", steps.len()));
    }
    steps.sort_by_key(|step| step.queued_at.or(step.started_at));
    let groups = groups(&steps);
    let row_count = groups.len();
    let shown = worth_seeing(groups, span);
    if shown.len() < row_count {
        notes.push(format!(
            "{} of {row_count} rows are shown: what has failed, what goes on, and what took longest.",
            shown.len()
        ));
    }
    let repeated: Vec<&StepRow> = shown.iter().filter_map(|group| repeated(group)).collect();
    let paths: Vec<&str> = repeated.iter().map(|step| step.path.as_str()).collect();
    let from = repeated.iter().filter_map(|step| step.input_seq).min().unwrap_or(1);
    let attempts = attempts::read(store, row.run_id, &paths, from)?;
    let rows = shown.iter().map(|group| match group.as_slice() {
        [step] => alone(step, attempts.get(&step.path), span, link),
        steps => together(steps, span, link),
    });
    let rows = rows.collect();
    Ok(Timeline { rows, ticks: span.ticks(), length: took(span.length), notes })
}

/// Steps that have come up. Those whose turn has not come are in no row of the store.
fn steps_come_up(row: &RunRow) -> usize {
    let statuses = row.counts.iter().filter(|(status, _)| *status != StepStatus::Pending);
    statuses.map(|(_, count)| count as usize).sum()
}

fn steps(store: &dyn Store, row: &RunRow) -> Result<Vec<StepRow>, StoreError> {
    let mut steps: Vec<StepRow> = Vec::new();
    loop {
        let after = steps.last().map(|step| step.ordinal);
        let page = store.steps(row.run_id, after, 1_000)?;
        steps.extend(page.items);
        if !page.has_more || steps.len() >= STEPS_READ_MAX {
            return Ok(steps);
        }
    }
}

/// A step of which there may be more than one attempt.
fn repeated<'a>(group: &[&'a StepRow]) -> Option<&'a StepRow> {
    let [step] = group else { return None };
    (step.attempt > 1 || step.status == StepStatus::BackingOff).then_some(*step)
}

/// Steps that share a row, in the order in which the turn of their first ones came.
fn groups(steps: &[StepRow]) -> Vec<Vec<&StepRow>> {
    if steps.len() <= ALONE_MAX {
        return steps.iter().map(|step| vec![step]).collect();
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&StepRow>> = Vec::new();
    for step in steps {
        let place = *places.entry(path::address_of(&step.path)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(step);
    }
    groups
}

/// As many groups as are shown: what has failed or goes on, then what took longest, in their order.
fn worth_seeing<'a>(mut groups: Vec<Vec<&'a StepRow>>, span: &Span) -> Vec<Vec<&'a StepRow>> {
    if groups.len() <= ROWS_MAX {
        return groups;
    }
    let worth = |group: &[&StepRow]| {
        let is_open = group.iter().any(|step| !step.status.is_terminal());
        let has_failed = group.iter().any(|step| step.status == StepStatus::Failed);
        let ends = group.iter().map(|step| step.finished_at.unwrap_or_else(|| span.end())).max();
        let begin = group.iter().filter_map(|step| step.queued_at).min();
        let length = ends.zip(begin).map(|(end, begin)| end.since(begin)).unwrap_or_default();
        (has_failed, is_open, length)
    };
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(worth(&groups[*index])));
    order.truncate(ROWS_MAX);
    order.sort_unstable();
    order.into_iter().map(|index| std::mem::take(&mut groups[index])).collect()
}
