use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use crate::access::Caller;
use crate::api::event::EventBody;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::app::Shared;
use crate::http::paging::{List, PAGE_BYTES_MAX, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only events behind this number.
    pub after: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The journal of a run: everything that happened, in order.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/events", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id"), EventsQuery),
    responses((status = 200, body = List<EventBody>), ProblemResponses)
)]
pub async fn list_events(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(query): Asked<EventsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let after = number("after", query.after.as_deref())?;
    let after = place(query.cursor.as_deref())?.or(after).unwrap_or(0);
    let run_id = find(&app, caller.project(), &word).await?.run_id;
    let list = move |store: &dyn windlass_store::Store| {
        let found = store.events(run_id, after, limit, PAGE_BYTES_MAX)?;
        let items: Vec<EventBody> = found.items.iter().map(EventBody::of).collect();
        let next_cursor = items.last().filter(|_| found.has_more).map(|last| cursor(&last.seq));
        Ok(List { items, next_cursor })
    };
    Ok(app.engine.read(list).await?.answer(&uri))
}

/// A number in a query.
///
/// # Errors
///
/// If it is none.
pub(crate) fn number(name: &str, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let wanted = |_| Problem::parameter(name, "a whole number is expected");
    text.map(|text| text.parse().map_err(wanted)).transpose()
}
