use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::{Asked, Named};
use crate::api::workflow::{VersionBody, find_row};
use crate::app::Shared;
use crate::http::paging::{List, PAGE_BYTES_MAX, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Versions of a workflow, the newest first.
#[utoipa::path(
    get, path = "/api/v1/workflows/{workflow}/versions", tag = "workflows",
    params(("workflow" = String, Path, description = "Id or name"), PageQuery),
    responses((status = 200, body = List<VersionBody>), ProblemResponses)
)]
pub async fn list_versions(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let before: Option<u32> = place(page.cursor.as_deref())?;
    let workflow_id = find_row(&app, caller.project(), &word).await?.workflow_id;
    let found = app.engine.read(move |store| store.versions(workflow_id, before, limit)).await?;
    let mut has_more = found.has_more;
    let mut weight = 0;
    let mut items: Vec<VersionBody> = Vec::new();
    for row in found.items {
        if weight > PAGE_BYTES_MAX {
            has_more = true;
            break;
        }
        weight += row.source.len();
        items.push(row.into());
    }
    let next_cursor = items.last().filter(|_| has_more).map(|last| cursor(&last.version));
    Ok(List { items, next_cursor }.answer(&uri))
}
