use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::kinds::Awaits;
use windlass_store::{AskKey, AskRow, Page, Store, StoreError};

use crate::access::Caller;
use crate::api::approval::ApprovalSummary;
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Where a page goes on.
#[derive(Serialize, Deserialize)]
pub struct Place {
    since: i64,
    run_id: Uuid,
    path: String,
}

impl Place {
    /// Behind this approval.
    pub fn of(row: &AskRow) -> Place {
        Place { since: row.since.micros(), run_id: row.run_id, path: row.path.clone() }
    }

    /// As the store has it.
    pub fn key(self) -> AskKey {
        let since = Time::from_micros(self.since);
        AskKey { since, run_id: self.run_id, path: self.path }
    }
}

/// Approvals that wait to be decided, those that have waited longest first.
#[utoipa::path(
    get, path = "/api/v1/approvals", tag = "approvals",
    params(PageQuery),
    responses((status = 200, body = List<ApprovalSummary>), ProblemResponses)
)]
pub async fn list_approvals(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    Ok(list(&app, &caller, page.cursor.as_deref(), limit).await?.answer(&uri))
}

/// A page of the approvals that wait.
///
/// # Errors
///
/// `bad-parameter` if the cursor is none of this list.
pub async fn list(
    app: &App,
    caller: &Caller,
    from: Option<&str>,
    limit: usize,
) -> Result<List<ApprovalSummary>, Problem> {
    let from: Option<Place> = place(from)?;
    let after = from.map(Place::key);
    let project = caller.project().to_owned();
    let found = app.engine.read(move |store| waiting(store, &project, after.as_ref(), limit));
    let Page { items, has_more } = found.await?;
    let next_cursor = items.last().filter(|_| has_more).map(|last| cursor(&Place::of(last)));
    let items = items.into_iter().map(ApprovalSummary::from).collect();
    Ok(List { items, next_cursor })
}

/// The approvals of a project that wait, behind `after`.
pub fn waiting(
    store: &dyn Store,
    project: &str,
    after: Option<&AskKey>,
    limit: usize,
) -> Result<Page<AskRow>, StoreError> {
    store.asks(project, Awaits::Approval.as_str(), None, after, limit)
}
