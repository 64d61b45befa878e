use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use windlass_store::{FoundLine, LogSearch, Store};

use crate::access::Caller;
use crate::api::analytics::meant;
use crate::api::log_line::LogLineBody;
use crate::api::query::Asked;
use crate::api::runs::logs::{level, time, words};
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// What is looked for.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogSearchQuery {
    /// Words, all of which a line has, whatever their case: runs of letters and digits, so that
    /// `disk-full` asks for `disk` beside `full`. What stands in double quotes stays together, and
    /// `time*` is how a word begins. Needed, 1 to 200 characters.
    pub q: String,
    /// Only lines that are at least this serious: `debug`, `info`, `warning`, `error` or `critical`.
    pub level: Option<String>,
    /// Only lines written at this time (RFC 3339) or later.
    pub from: Option<String>,
    /// Only lines written before this time (RFC 3339).
    pub until: Option<String>,
    /// Only lines of runs of the workflow of this id or name.
    pub workflow: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A line that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FoundLineBody {
    /// The run.
    pub run_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// The line.
    #[serde(flatten)]
    pub line: LogLineBody,
}

impl From<FoundLine> for FoundLineBody {
    fn from(found: FoundLine) -> FoundLineBody {
        let FoundLine { run_id, workflow, line, .. } = found;
        FoundLineBody { run_id, workflow, line: line.into() }
    }
}

/// Log lines with these words, of all runs, the newest first.
#[utoipa::path(
    get, path = "/api/v1/logs", tag = "runs", params(LogSearchQuery),
    responses((status = 200, body = List<FoundLineBody>), ProblemResponses)
)]
pub async fn search_logs(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<LogSearchQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let before: Option<i64> = place(query.cursor.as_deref())?;
    let text = words("q", Some(query.q))?;
    let text = text.ok_or_else(|| Problem::parameter("q", "there is nothing to look for"))?;
    let (level, from, until) = (
        level(query.level.as_deref())?,
        time("from", query.from.as_deref())?,
        time("until", query.until.as_deref())?,
    );
    let project = caller.project().to_owned();
    let look = move |store: &dyn Store| {
        let workflow = meant(store, &project, query.workflow.as_deref())?;
        let workflow_id = workflow.map(|(id, _)| id);
        let search = LogSearch { text, level, from, until, workflow_id };
        let found = store.find_logs(&project, &search, before, limit)?;
        let last = found.items.last().filter(|_| found.has_more);
        let next_cursor = last.map(|last| cursor(&last.line_id));
        Ok(List { items: found.items.into_iter().map(FoundLineBody::from).collect(), next_cursor })
    };
    Ok(app.engine.read(look).await?.answer(&uri))
}
