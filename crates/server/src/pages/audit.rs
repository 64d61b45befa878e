//! `/audit`: who has changed what and when, the newest first, and whether the records are as they were
//! written.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use windlass_store::{AuditRow, AuditVerdict, Store, StoreError};

use super::error::PageProblem;
use super::render::{Me, Moment, moment, page_for};
use super::runs::short_id;
use crate::access::Caller;
use crate::api::audit::list::AuditBody;
use crate::api::audit::verify::verify;
use crate::api::key::visible;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::client::segment;

/// Records of a page.
const PAGE_SIZE: usize = 50;
/// Records that are looked through for one page. In a project of its own most may be of others.
const WINDOW_MAX: i64 = 5_000;
/// A log up to this length is checked with each look at it; a longer one when it is asked for.
const CHECKED_MAX: i64 = 5_000;

/// Which records.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    /// Only records before this number.
    before: Option<i64>,
    /// Whether to check the whole log, however long it is.
    #[serde(default)]
    check: bool,
}

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    is_newest: bool,
    older: Option<i64>,
    /// Whether the reader may have the log checked: it is one chain over all projects.
    may_check: bool,
    verdict: Option<Verdict>,
}

#[derive(Serialize)]
struct Row {
    seq: i64,
    at: Moment,
    project: String,
    principal: String,
    action: String,
    /// To what: its name if it has one, and the path that was asked.
    name: String,
    target: String,
    /// Its page, if there is one.
    href: Option<String>,
    /// The status of the answer; `None` if its caller hung up before.
    status: Option<u64>,
}

#[derive(Serialize)]
struct Verdict {
    checked: u64,
    first_altered: Option<i64>,
}

impl From<AuditVerdict> for Verdict {
    fn from(verdict: AuditVerdict) -> Verdict {
        Verdict { checked: verdict.checked, first_altered: verdict.first_altered }
    }
}

impl Row {
    /// As the people of a project see it: pages of other projects are not theirs.
    fn of(row: AuditRow, names: &BTreeMap<String, String>, project: &str) -> Row {
        let at = moment(row.entry.at);
        let is_own = row.entry.project == project;
        let body = AuditBody::from(row);
        let (name, href) = match about(&body.target) {
            Some(("runs", word)) => {
                let href = is_own.then(|| format!("/runs/{}", segment(&word)));
                (format!("run {}", short_id(&word)), href)
            }
            Some((_, word)) => match names.get(&word).filter(|_| is_own) {
                Some(name) => {
                    (format!("workflow {name}"), Some(format!("/workflows/{}", segment(name))))
                }
                None => (format!("workflow {word}"), None),
            },
            None => (body.target.clone(), None),
        };
        Row {
            seq: body.seq,
            at,
            project: body.project,
            principal: body.principal,
            action: body.action,
            name,
            href,
            target: body.target,
            status: body.detail["status"].as_u64(),
        }
    }
}

/// What a path of the API or of a form is about: `runs` or `workflows`, and which.
fn about(target: &str) -> Option<(&'static str, String)> {
    let path = target.strip_prefix("/api/v1").unwrap_or(target);
    let mut parts = path.strip_prefix('/')?.split('/');
    let first = parts.next()?;
    let kind = ["runs", "workflows"].into_iter().find(|kind| *kind == first)?;
    let word = parts.next().filter(|word| !word.is_empty())?;
    let word = percent_encoding::percent_decode_str(word).decode_utf8_lossy();
    Some((kind, word.into_owned()))
}

/// What people call the workflows that the records are about, by the word the records have.
fn names(
    store: &dyn Store,
    rows: &[AuditRow],
    project: &str,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut names = BTreeMap::new();
    for row in rows.iter().filter(|row| row.entry.project == project) {
        let Some(("workflows", word)) = about(&row.entry.target) else { continue };
        if !names.contains_key(&word)
            && let Some(found) = store.workflow(project, &word)?
        {
            names.insert(word, found.name);
        }
    }
    Ok(names)
}

pub(super) async fn page(
    State(app): Shared,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Response, PageProblem> {
    let project = visible(&caller);
    let may_check = project.is_none();
    let own = caller.project().to_owned();
    let read = move |store: &dyn Store| {
        let end = end(store, project.as_deref())?;
        let before = query.before.unwrap_or(end + 1).clamp(1, end + 1);
        let (rows, older) = page_before(store, project.as_deref(), before)?;
        let names = names(store, &rows, &own)?;
        let rows: Vec<Row> = rows.into_iter().map(|row| Row::of(row, &names, &own)).collect();
        Ok((rows, older, end))
    };
    let (rows, older, end) = app.engine.read(read).await?;
    let verdict = match may_check && (query.check || end <= CHECKED_MAX) {
        true => Some(Verdict::from(verify(&app).await?)),
        false => None,
    };
    let context = Context {
        nav: "audit",
        title: "Audit log",
        rows,
        is_newest: query.before.is_none_or(|before| before > end),
        older,
        may_check,
        verdict,
    };
    Ok(page_for("audit.html", &Me::of(&app, &caller), context).into_response())
}

/// The number of the last record that can be seen. Records have their numbers in order, so half of
/// those left are passed over with each look.
fn end(store: &dyn Store, project: Option<&str>) -> Result<i64, StoreError> {
    let first_behind = |seq: i64| -> Result<Option<i64>, StoreError> {
        Ok(store.audit(project, seq, 1)?.items.pop().map(|row| row.seq))
    };
    let (mut low, mut step) = (0, 1);
    loop {
        match first_behind(low + step)?.or(first_behind(low)?) {
            Some(seq) if seq > low + step => (low, step) = (seq, step.saturating_mul(2)),
            Some(seq) => (low, step) = (seq, (step / 2).max(1)),
            None => return Ok(low),
        }
    }
}

/// The newest records before a number, the newest first, and where older ones go on.
fn page_before(
    store: &dyn Store,
    project: Option<&str>,
    before: i64,
) -> Result<(Vec<AuditRow>, Option<i64>), StoreError> {
    let mut width = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);
    loop {
        let after = (before - 1 - width).max(0);
        let limit = usize::try_from(width).unwrap_or(usize::MAX);
        let mut rows = store.audit(project, after, limit)?.items;
        rows.retain(|row| row.seq < before);
        if rows.len() >= PAGE_SIZE || after == 0 || width >= WINDOW_MAX {
            let skipped = rows.len().saturating_sub(PAGE_SIZE);
            let rows: Vec<AuditRow> = rows.into_iter().skip(skipped).rev().collect();
            let from = if skipped > 0 { rows.last().map(|row| row.seq) } else { Some(after + 1) };
            return Ok((rows, from.filter(|from| *from > 1)));
        }
        width = (width * 4).min(WINDOW_MAX);
    }
}
