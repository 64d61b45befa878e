use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_store::Store;

use super::row;
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::{Asked, Named};
use crate::api::unit::HistoryItem;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units::story::tell;

/// All that has happened to a unit of work, in order: where it stood, who did what and why.
#[utoipa::path(
    get, path = "/api/v1/uows/{uow}/history", tag = "units",
    params(("uow" = String, Path, description = "Its id"), PageQuery),
    responses((status = 200, body = List<HistoryItem>), ProblemResponses)
)]
pub async fn uow_history(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: u64 = place(page.cursor.as_deref())?.unwrap_or(0);
    let row = row(&app, &caller, &word).await?;
    let read = move |store: &dyn Store| {
        let mut items: Vec<HistoryItem> = Vec::new();
        tell(store, row.run_id, &row.path, |moment| {
            if moment.seq > after {
                items.push(HistoryItem::of(moment));
            }
            items.len() <= limit
        })?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| has_more);
        let next_cursor = last.map(|last| cursor(&last.seq));
        Ok(List { items, next_cursor })
    };
    Ok(app.engine.read(read).await?.answer(&uri))
}
