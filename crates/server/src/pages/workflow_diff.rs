//! `/workflows/{name}/diff?from=1&to=3`: what has changed between two versions, line by line.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, DiffOp, TextDiff};
use windlass_store::{DefinitionRow, Store, StoreError};

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::workflow::find_row;
use crate::app::Shared;
use crate::http::problem::Problem;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// Lines that are shown.
const LINES_MAX: usize = 3_000;
/// Versions that can be chosen from: the newest ones, and those that are compared.
const CHOICES_MAX: usize = 50;
/// After that long the rest is told less finely, so that no two texts keep a thread busy.
const TIME_MAX: Duration = Duration::from_millis(500);

/// Which versions. Left out: the newest one, and the one before it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    from: Option<u32>,
    to: Option<u32>,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: String,
    name: String,
    from: Version,
    to: Version,
    choices: Vec<u32>,
    added: usize,
    removed: usize,
    hunks: Vec<Hunk>,
    is_cut: bool,
}

#[derive(Serialize)]
struct Version {
    version: u32,
    deployed: Moment,
    format: String,
}

impl From<&DefinitionRow> for Version {
    fn from(row: &DefinitionRow) -> Version {
        let deployed = moment(row.created_at);
        Version { version: row.version, deployed, format: row.format.clone() }
    }
}

/// Lines that stand together.
#[derive(Debug, PartialEq, Serialize)]
struct Hunk {
    /// How many unchanged lines are left out before it.
    skipped: usize,
    lines: Vec<Line>,
}

/// A line of either version, or of both.
#[derive(Debug, PartialEq, Serialize)]
struct Line {
    /// `added`, `removed` or `same`.
    change: &'static str,
    /// Its number in the older and in the newer version, from 1.
    old: Option<usize>,
    new: Option<usize>,
    text: String,
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let row = find_row(&app, caller.project(), &word).await?;
    let to = query.to.unwrap_or(row.version);
    let from = query.from.unwrap_or_else(|| to.saturating_sub(1).max(1));
    let workflow_id = row.workflow_id;
    let read = move |store: &dyn Store| {
        let one = |version: u32| -> Result<Option<DefinitionRow>, StoreError> {
            let found = store.versions(workflow_id, version.checked_add(1), 1)?.items.pop();
            Ok(found.filter(|found| found.version == version))
        };
        let choices = store.versions(workflow_id, None, CHOICES_MAX)?.items;
        Ok((one(from)?, one(to)?, choices))
    };
    let (older, newer, choices) = app.engine.read(read).await?;
    let missing = |name: &str, version: u32| {
        Problem::parameter(name, format!("there is no version {version} of `{}`", row.name))
    };
    let older = older.ok_or_else(|| missing("from", from))?;
    let newer = newer.ok_or_else(|| missing("to", to))?;
    let mut choices: Vec<u32> = choices.iter().map(|row| row.version).chain([from, to]).collect();
    choices.sort_unstable_by(|one, next| next.cmp(one));
    choices.dedup();
    let (from, to) = (Version::from(&older), Version::from(&newer));
    let compare = move || compare(&older.source, &newer.source);
    let compared = tokio::task::spawn_blocking(compare)
        .await
        .map_err(|error| Problem::new(crate::http::problem::INTERNAL, error.to_string()))?;
    let context = Context {
        nav: "workflows",
        title: format!("{} · versions {} and {}", row.name, from.version, to.version),
        name: row.name,
        from,
        to,
        choices,
        added: compared.added,
        removed: compared.removed,
        hunks: compared.hunks,
        is_cut: compared.is_cut,
    };
    Ok(page_for("workflow_diff.html", &Me::of(&app, &caller), context).into_response())
}

/// How two texts differ.
struct Compared {
    added: usize,
    removed: usize,
    hunks: Vec<Hunk>,
    is_cut: bool,
}

fn compare(older: &str, newer: &str) -> Compared {
    let diff = TextDiff::configure().timeout(TIME_MAX).diff_lines(older, newer);
    let count =
        |wanted: ChangeTag| diff.iter_all_changes().filter(|one| one.tag() == wanted).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let (mut hunks, mut room, mut end) = (Vec::new(), LINES_MAX, 0);
    for operations in diff.grouped_ops(CONTEXT) {
        let begin = operations.first().map_or(end, |first| first.old_range().start);
        let lines: Vec<Line> =
            operations.iter().flat_map(|one| lines(&diff, one)).take(room).collect();
        room -= lines.len();
        if lines.is_empty() {
            break;
        }
        hunks.push(Hunk { skipped: begin.saturating_sub(end), lines });
        end = operations.last().map_or(end, |last| last.old_range().end);
    }
    Compared { added, removed, hunks, is_cut: room == 0 }
}

fn lines(diff: &TextDiff<'_, '_, '_, str>, operation: &DiffOp) -> Vec<Line> {
    let line = |change: similar::Change<&str>| Line {
        change: match change.tag() {
            ChangeTag::Insert => "added",
            ChangeTag::Delete => "removed",
            ChangeTag::Equal => "same",
        },
        old: change.old_index().map(|index| index + 1),
        new: change.new_index().map(|index| index + 1),
        text: change.value().trim_end_matches(['\r', '\n']).to_owned(),
    };
    diff.iter_changes(operation).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_change_is_left_out_but_for_its_neighbours() {
        let older: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let newer = older.replace("line 20\n", "line twenty\nand more\n");
        let compared = compare(&older, &newer);
        assert_eq!((compared.added, compared.removed, compared.hunks.len()), (2, 1, 1));
        let hunk = &compared.hunks[0];
        assert_eq!((hunk.skipped, hunk.lines.len()), (16, 9));
        let told = |line: &Line| (line.change, line.old, line.new, line.text.clone());
        assert_eq!(told(&hunk.lines[0]), ("same", Some(17), Some(17), "line 17".to_owned()));
        assert_eq!(told(&hunk.lines[3]), ("removed", Some(20), None, "line 20".to_owned()));
        assert_eq!(told(&hunk.lines[5]), ("added", None, Some(21), "and more".to_owned()));
        assert!(compare(&older, &older).hunks.is_empty());
    }

    #[test]
    fn very_long_texts_are_cut() {
        let newer: String = (0..5_000).map(|n| format!("{n}\n")).collect();
        let compared = compare("", &newer);
        assert!(compared.is_cut);
        assert_eq!((compared.added, compared.hunks[0].lines.len()), (5_000, LINES_MAX));
    }
}
