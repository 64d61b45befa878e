use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use crate::access::Caller;
use crate::api::page::PageQuery;
use crate::api::query::{Asked, Named};
use crate::api::run::find;
use crate::api::step::{StepBody, StepPlace, read_steps};
use crate::app::{App, Shared};
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Steps of a run in the order in which they came up; nodes whose turn has not come stand last.
#[utoipa::path(
    get, path = "/api/v1/runs/{run}/steps", tag = "runs",
    params(("run" = String, Path, description = "Id, its last 12 characters, or external id"), PageQuery),
    responses((status = 200, body = List<StepBody>), ProblemResponses)
)]
pub async fn list_steps(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    Ok(list(&app, &caller, &word, page.cursor.as_deref(), limit).await?.answer(&uri))
}

/// A page of the steps of a run.
///
/// # Errors
///
/// `run-not-found`, or `bad-parameter` if the cursor is none of this list.
pub async fn list(
    app: &App,
    caller: &Caller,
    word: &str,
    from: Option<&str>,
    limit: usize,
) -> Result<List<StepBody>, Problem> {
    let from: Option<StepPlace> = place(from)?;
    let row = find(app, caller.project(), word).await?;
    let definitions = app.engine.definitions().clone();
    let list = move |store: &dyn windlass_store::Store| {
        // Without its definition, a run's steps are still worth showing.
        let plan = definitions.plan(row.definition_id).ok();
        let (items, next) = read_steps(store, &row, plan.as_deref(), from, limit)?;
        Ok(List { items, next_cursor: next.map(|place| cursor(&place)) })
    };
    Ok(app.engine.read(list).await?)
}
