use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use windlass_core::definition::Plan;
use windlass_store::{Store, StoreError, WorkflowRow};

use crate::access::Caller;
use crate::api::flow::{FlowBody, newest_runs};
use crate::api::page::PageQuery;
use crate::api::query::Asked;
use crate::api::workflows::list::those;
use crate::app::Shared;
use crate::http::paging::{List, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Flows that other programs run, by key. A page looks at 2,000 workflows: it may be short, and still
/// have a `next_cursor`.
#[utoipa::path(
    get, path = "/api/v1/flows", tag = "events", params(PageQuery),
    responses((status = 200, body = List<FlowBody>), ProblemResponses)
)]
pub async fn list_flows(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(page): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let limit = limit(page.limit.as_deref())?;
    let after: Option<String> = place(page.cursor.as_deref())?;
    let (definitions, project) = (app.engine.definitions().clone(), caller.project().to_owned());
    let pick = |row: &WorkflowRow, plan: &Arc<Plan>| {
        plan.flow.as_ref().map(|flow| FlowBody::of(row, flow))
    };
    let read = move |store: &dyn Store| {
        let mut list = those(store, &definitions, &project, (after, limit), pick)?;
        let with_newest = |flow: FlowBody| {
            let newest = newest_runs(store, &project, flow.id, 1)?.pop();
            Ok(flow.with_newest(newest))
        };
        list.items = list.items.into_iter().map(with_newest).collect::<Result<_, StoreError>>()?;
        Ok(list)
    };
    Ok(app.engine.read(read).await?.answer(&uri))
}
