use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use windlass_store::{RunFilter, Store};

use super::{StateBody, state};
use crate::access::Caller;
use crate::app::Shared;
use crate::facade::{Detail, DetailResponses, OldQuery};
use crate::http::paging::limit;

/// How many runs.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct LimitQuery {
    /// Of those that were created last, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
}

/// The newest runs by their creation, 50 unless `limit` says otherwise, as the hybrid engine's workflows:
/// of these, those that changed last come first. An older run that changes is not among them; it is found
/// by its id.
#[utoipa::path(
    get, path = "/api/workflows", tag = "facades", params(LimitQuery),
    responses((status = 200, body = Vec<StateBody>), DetailResponses)
)]
pub async fn list_states(
    State(app): Shared,
    caller: Caller,
    OldQuery(query): OldQuery<LimitQuery>,
) -> Result<Json<Vec<StateBody>>, Detail> {
    let limit = limit(query.limit.as_deref())?;
    let (project, definitions) = (caller.project().to_owned(), app.engine.definitions().clone());
    let read = move |store: &dyn Store| {
        // Of runs that were resumed after their end only the one that goes on is there.
        let filter = RunFilter { is_unrepeated: true, ..RunFilter::default() };
        let rows = store.runs(&project, &filter, None, limit)?.items;
        let mut states = Vec::with_capacity(rows.len());
        for row in rows {
            let plan = definitions.plan(row.definition_id).ok();
            states.push(state::of(store, row, plan.as_deref())?);
        }
        states.sort_by(|a: &StateBody, b| b.updated_at.cmp(&a.updated_at));
        Ok(states)
    };
    Ok(Json(app.engine.read(read).await?))
}
