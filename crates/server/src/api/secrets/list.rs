use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_store::Store;

use super::SecretBody;
use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// The names of secrets, in order. Secrets themselves are never shown.
#[utoipa::path(
    get, path = "/api/v1/secrets", tag = "secrets",
    params(PageQuery),
    responses((status = 200, body = List<SecretBody>), ProblemResponses)
)]
pub async fn list_secrets(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<String> = place(page.cursor.as_deref())?;
    let project = caller.project().to_owned();
    let list = move |store: &dyn Store| {
        let after = after.unwrap_or_default();
        let page = store.secrets((&project, &after), limit)?;
        // Behind the last one of a project come those of the next.
        let own = page.items.into_iter().take_while(|row| row.project == project);
        let own: Vec<_> = own.collect();
        let is_full = own.len() == limit && page.has_more;
        let next_cursor = own.last().filter(|_| is_full).map(|row| cursor(&row.name));
        Ok(List { items: own.into_iter().map(SecretBody::from).collect(), next_cursor })
    };
    Ok(app.engine.read(list).await?.answer(&uri))
}
