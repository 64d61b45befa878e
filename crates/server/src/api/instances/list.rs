use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;
use windlass_store::InstanceStatus;

use crate::access::Caller;
use crate::api::instance::InstanceBody;
use crate::api::query::Asked;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};

/// Which instances, and which page of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct InstancesQuery {
    /// Only instances that are `active`, `paused` or `archived`.
    #[param(pattern = "^(active|paused|archived)?$")]
    pub status: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Instances of templates, the newest first.
#[utoipa::path(
    get, path = "/api/v1/instances", tag = "instances", params(InstancesQuery),
    responses((status = 200, body = List<InstanceBody>), ProblemResponses)
)]
pub async fn list_instances(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<InstancesQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let after: Option<Uuid> = place(query.cursor.as_deref())?;
    let word = query.status.as_deref().filter(|word| !word.is_empty());
    let status = word.map(|word| {
        let wanted = || Problem::parameter("status", "`active`, `paused` or `archived`");
        InstanceStatus::parse(word).ok_or_else(wanted)
    });
    let (status, project) = (status.transpose()?, caller.project().to_owned());
    let read =
        move |store: &dyn windlass_store::Store| store.instances(&project, status, after, limit);
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.instance_id));
    let items = found.items.iter().map(InstanceBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
