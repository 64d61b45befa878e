use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::events::number;
use crate::access::Caller;
use crate::api::log_line::LogLineBody;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Which lines.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// Only lines of the step of this path.
    pub path: Option<String>,
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
    params(("run" = String, Path, description = "Id or external id"), LogsQuery),
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
    let found = lines(&app, &caller, &word, query.path, after, limit).await?;
    Ok(found.answer(&uri))
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
    path: Option<String>,
    after: u64,
    limit: usize,
) -> Result<List<LogLineBody>, Problem> {
    let run_id = find(app, caller.project(), word).await?.run_id;
    let filter = windlass_store::LogFilter { path, ..Default::default() };
    let list = move |store: &dyn windlass_store::Store| {
        let found = store.logs(run_id, after, &filter, limit)?;
        let last = found.items.last().filter(|_| found.has_more);
        let next_cursor = last.map(|last| cursor(&last.log_seq));
        let items = found.items.into_iter().map(LogLineBody::from).collect();
        Ok(List { items, next_cursor })
    };
    Ok(app.engine.read(list).await?)
}
