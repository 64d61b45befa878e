use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use windlass_core::Time;
use windlass_store::{LogFilter, LogLevel};

use super::events::number;
use crate::access::Caller;
use crate::api::log_line::LogLineBody;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// The longest question for words, in characters.
const WORDS_CHARS_MAX: usize = 200;

/// Which lines.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// Only lines of the step of this path.
    pub path: Option<String>,
    /// Only lines that are at least this serious: `debug`, `info`, `warning`, `error` or `critical`. One
    /// that does not say counts as `info`.
    pub level: Option<String>,
    /// Only lines written at this time (RFC 3339) or later.
    pub from: Option<String>,
    /// Only lines written before this time (RFC 3339).
    pub until: Option<String>,
    /// Only lines with all of these words, whatever their case; see `/api/v1/logs`.
    pub q: Option<String>,
    /// Only lines behind this `log_seq`.
    pub after: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lines that the steps of a run have written, in order.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/logs", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id"), LogsQuery),
    responses((status = 200, body = List<LogLineBody>), ProblemResponses)
)]
pub async fn list_logs(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(query): Asked<LogsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let after = number("after", query.after.as_deref())?;
    let after = place(query.cursor.as_deref())?.or(after).unwrap_or(0);
    let filter = LogFilter {
        level: level(query.level.as_deref())?,
        from: time("from", query.from.as_deref())?,
        until: time("until", query.until.as_deref())?,
        text: words("q", query.q)?,
        path: query.path,
    };
    let found = lines(&app, &caller, &word, filter, after, limit).await?;
    Ok(found.answer(&uri))
}

/// How serious lines have to be.
///
/// # Errors
///
/// `bad-parameter`.
pub(crate) fn level(word: Option<&str>) -> Result<Option<LogLevel>, Problem> {
    let Some(word) = word.filter(|word| !word.is_empty()) else { return Ok(None) };
    let level = LogLevel::parse(word);
    let wanted = || {
        let known = LogLevel::ALL.map(LogLevel::as_str).join(", ");
        Problem::parameter("level", format!("one of {known} is expected"))
    };
    level.map(Some).ok_or_else(wanted)
}

/// A time in a query.
///
/// # Errors
///
/// `bad-parameter`.
pub(crate) fn time(name: &str, text: Option<&str>) -> Result<Option<Time>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wanted = "an RFC 3339 time such as `2026-01-31T12:00:00Z` is expected";
    Time::parse(text).map(Some).ok_or_else(|| Problem::parameter(name, wanted))
}

/// Words that lines are to have.
///
/// # Errors
///
/// `bad-parameter` if there are too many.
pub(crate) fn words(name: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    let text = text.filter(|text| !text.trim().is_empty());
    match text {
        Some(text) if text.chars().count() > WORDS_CHARS_MAX => {
            Err(Problem::parameter(name, format!("at most {WORDS_CHARS_MAX} characters")))
        }
        text => Ok(text),
    }
}

/// Lines of a run behind a `log_seq`.
///
/// # Errors
///
/// `run-not-found`.
pub async fn lines(
    app: &App,
    caller: &Caller,
    word: &str,
    filter: LogFilter,
    after: u64,
    limit: usize,
) -> Result<List<LogLineBody>, Problem> {
    let run_id = find(app, caller.project(), word).await?.run_id;
    let list = move |store: &dyn windlass_store::Store| {
        let found = store.logs(run_id, after, &filter, limit)?;
        let last = found.items.last().filter(|_| found.has_more);
        let next_cursor = last.map(|last| cursor(&last.log_seq));
        let items = found.items.into_iter().map(LogLineBody::from).collect();
        Ok(List { items, next_cursor })
    };
    Ok(app.engine.read(list).await?)
}
