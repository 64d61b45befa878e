use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use uuid::Uuid;

use crate::access::Caller;
use crate::api::key::{KeyBody, visible};
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Keys of the caller's project, the oldest first; of all projects for admins of `default`. Those
/// that are no longer good are among them.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "access", params(PageQuery),
    responses((status = 200, body = List<KeyBody>), ProblemResponses)
)]
pub async fn list_keys(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<Uuid> = place(page.cursor.as_deref())?;
    let project = visible(&caller);
    let read =
        move |store: &dyn windlass_store::Store| store.api_keys(project.as_deref(), after, limit);
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.key_id));
    let items = found.items.into_iter().map(KeyBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
