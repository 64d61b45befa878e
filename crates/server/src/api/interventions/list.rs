use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use windlass_store::{InterventionFilter, Store};

use crate::access::Caller;
use crate::api::intervention::InterventionBody;
use crate::api::query::Asked;
use crate::api::words::id_in_query;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units;

/// The words that requests stand at.
const STATUSES: [&str; 6] =
    ["PENDING", "IN_PROGRESS", "APPROVED", "REJECTED", "EXPIRED", "COMPLETED"];

/// Which requests, and which page of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct InterventionsQuery {
    /// Only requests that stand there, such as `PENDING`.
    #[param(pattern = "^(PENDING|IN_PROGRESS|APPROVED|REJECTED|EXPIRED|COMPLETED)?$")]
    pub status: Option<String>,
    /// Only requests of this instance, by id or name.
    pub instance: Option<String>,
    /// Only requests about the unit with this id.
    #[param(format = Uuid)]
    pub uow: Option<String>,
    /// Only requests that this one has taken on.
    pub assigned_to: Option<String>,
    /// Only requests of this kind, such as `clarification`.
    pub kind: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Requests to pilots, the most urgent first, and of those the oldest first. A page goes on behind so
/// many requests; what is answered meanwhile shifts it.
#[utoipa::path(
    get, path = "/api/v1/interventions", tag = "units", params(InterventionsQuery),
    responses((status = 200, body = List<InterventionBody>), ProblemResponses)
)]
pub async fn list_interventions(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<InterventionsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let offset: u32 = place(query.cursor.as_deref())?.unwrap_or(0);
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let given = |word: Option<String>| word.filter(|word| !word.is_empty());
    let status = given(query.status);
    if status.as_deref().is_some_and(|word| !STATUSES.contains(&word)) {
        return Err(Problem::parameter("status", STATUSES.join(", ")));
    }
    let instance_id = match given(query.instance) {
        Some(word) => Some(units::instance::find(&app, caller.project(), &word).await?.id()),
        None => None,
    };
    let filter = InterventionFilter {
        status,
        instance_id,
        unit_id: id_in_query("uow", query.uow.as_deref())?,
        assigned_to: given(query.assigned_to),
        kind: given(query.kind),
    };
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| store.interventions(&project, &filter, limit, offset);
    let found = app.engine.read(read).await?;
    let next_cursor = found.has_more.then(|| cursor(&(offset + found.items.len())));
    let items = found.items.into_iter().map(InterventionBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
