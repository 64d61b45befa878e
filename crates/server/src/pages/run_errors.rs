//! What went wrong in a run: the step that it failed by with the last that this one wrote, and its
//! failed steps, those that failed alike together.

use serde::Serialize;
use uuid::Uuid;
use windlass_core::run::{Fact, StepStatus};
use windlass_store::{LogFilter, LogLevel, LogRow, LogStream, RunRow, StepRow, Store, StoreError};

use super::run_view::Line;
use crate::analytics::errors::alike;
use crate::client::segment;

/// Steps that are looked through.
const STEPS_MAX: usize = 10_000;
/// Failed steps whose errors are read.
const READ_MAX: usize = 300;
/// Kinds of error that are shown.
const SHOWN: usize = 8;
/// Lines of the step that a run failed by.
const LINES_SHOWN: usize = 6;
/// Lines among which they are looked for, from the end of the log.
const LINES_READ: usize = 2_000;
/// Failed steps inside of a block of which the first with lines is shown.
const TRIED: usize = 5;

/// What is known of why a run has failed.
#[derive(Debug, Default, Serialize)]
pub(super) struct Wrong {
    /// The step that it failed by.
    culprit: Option<Culprit>,
    /// What its failed steps say, if there are several.
    alike: Vec<Alike>,
}

/// The step that a run failed by.
#[derive(Debug, Serialize)]
struct Culprit {
    path: String,
    /// Where its drawer opens.
    href: String,
    /// The last that it complained of, else the last that it wrote.
    lines: Vec<Line>,
    /// Where all that it wrote is.
    lines_href: String,
}

/// Steps that failed alike.
#[derive(Debug, Serialize)]
struct Alike {
    /// What they say, with `#` for numbers and ids if there are several.
    message: String,
    /// How many.
    count: usize,
    /// The first ones, and where their drawers open.
    steps: Vec<(String, String)>,
}

/// What went wrong in a run. Its log lines may be in another store than the rest.
///
/// # Errors
///
/// If a store cannot be read.
pub(super) fn read(
    store: &dyn Store,
    logs: &dyn Store,
    row: &RunRow,
    link: &dyn Fn(&str) -> String,
) -> Result<Wrong, StoreError> {
    if row.error.is_none() {
        return Ok(Wrong::default());
    }
    let mut failed = Vec::new();
    if row.counts.of(StepStatus::Failed) > 0 {
        failed = store.steps(row.run_id, None, STEPS_MAX)?.items;
        failed.retain(|step| step.status == StepStatus::Failed);
    }
    let culprit = culprit(logs, row, &failed, link)?;
    let alike = if failed.len() < 2 { Vec::new() } else { all_alike(store, row, &failed, link)? };
    Ok(Wrong { culprit, alike })
}

/// The step that a run failed by. If that is a block, a failed step inside of it says more.
fn culprit(
    logs: &dyn Store,
    row: &RunRow,
    failed: &[StepRow],
    link: &dyn Fn(&str) -> String,
) -> Result<Option<Culprit>, StoreError> {
    let named = row.error.as_ref().and_then(|error| error.step.as_deref());
    let is_meant = |path: &str| {
        named.is_none_or(|named| {
            path.strip_prefix(named).is_some_and(|rest| rest.starts_with(['.', '[']))
        })
    };
    let inside = failed.iter().map(|step| step.path.as_str()).filter(|path| is_meant(path));
    let tried: Vec<&str> = inside.take(TRIED).chain(named).collect();
    let mut found = tried.first().map(|path| (*path, Vec::new()));
    for path in tried {
        let lines = last_lines(logs, row.run_id, path)?;
        if !lines.is_empty() {
            found = Some((path, lines));
            break;
        }
    }
    Ok(found.map(|(path, lines)| Culprit {
        href: link(path),
        lines: lines.into_iter().map(Line::from).collect(),
        lines_href: format!("/runs/{}?of={}#log-title", row.run_id, segment(path)),
        path: path.to_owned(),
    }))
}

/// The last lines in which a step complained; the last that it wrote if it never did.
fn last_lines(logs: &dyn Store, run_id: Uuid, path: &str) -> Result<Vec<LogRow>, StoreError> {
    let last = logs.overview(run_id, 0)?.map_or(0, |overview| overview.last_log_seq);
    let after = last.saturating_sub(u64::try_from(LINES_READ).unwrap_or(u64::MAX));
    let of_step = LogFilter { path: Some(path.to_owned()), ..LogFilter::default() };
    let mut lines = logs.logs(run_id, after, &of_step, LINES_READ)?.items;
    if lines.is_empty() && after > 0 {
        lines = logs.logs(run_id, 0, &of_step, LINES_READ)?.items;
    }
    let complains = |line: &LogRow| {
        line.stream == LogStream::Stderr || line.level.is_some_and(|it| it >= LogLevel::Warning)
    };
    if lines.iter().any(complains) {
        lines.retain(complains);
    }
    Ok(lines.split_off(lines.len().saturating_sub(LINES_SHOWN)))
}

/// What failed steps say, the most frequent first.
fn all_alike(
    store: &dyn Store,
    row: &RunRow,
    failed: &[StepRow],
    link: &dyn Fn(&str) -> String,
) -> Result<Vec<Alike>, StoreError> {
    let failed = &failed[..failed.len().min(READ_MAX)];
    let mut seqs: Vec<u64> = failed.iter().filter_map(|step| step.end_seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    let events = store.events_at(row.run_id, &seqs)?;
    let mut groups: Vec<Alike> = Vec::new();
    for step in failed {
        let event = step.end_seq.and_then(|seq| events.iter().find(|event| event.seq == seq));
        let error = match event.map(|event| &event.event.fact) {
            Some(Fact::StepFailed { error, .. } | Fact::AttemptFailed { error, .. }) => Some(error),
            Some(Fact::TaskSeen { seen, .. }) => seen.error.as_ref(),
            _ => None,
        };
        let said =
            error.map_or_else(|| "no error was told".to_owned(), |error| error.message.clone());
        let message = alike(&said);
        let place = (step.path.clone(), link(&step.path));
        match groups.iter_mut().find(|group| alike(&group.message) == message) {
            Some(group) => {
                group.count += 1;
                group.message = message;
                if group.steps.len() < 3 {
                    group.steps.push(place);
                }
            }
            None => groups.push(Alike { message: said, count: 1, steps: vec![place] }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups.truncate(SHOWN);
    Ok(groups)
}
