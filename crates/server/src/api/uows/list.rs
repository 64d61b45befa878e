use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use uuid::Uuid;
use windlass_core::run::token::UnitStatus;
use windlass_store::{Store, UnitFilter};

use crate::access::Caller;
use crate::api::query::Asked;
use crate::api::unit::UnitBody;
use crate::api::words::id_in_query;
use crate::app::Shared;
use crate::http::paging::{List, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units;

/// Which units, and which page of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct UowsQuery {
    /// Only units of this instance, by id or name.
    pub instance: Option<String>,
    /// Only units of the run with this id.
    #[param(format = Uuid)]
    pub run: Option<String>,
    /// Only units that stand there, such as `pending`.
    pub status: Option<String>,
    /// Only units at this interaction. Takes `instance`.
    pub place: Option<String>,
    /// Only units that this role holds, or held last. Takes `instance`.
    pub role: Option<String>,
    /// Only parts of the unit with this id.
    #[param(format = Uuid)]
    pub parent: Option<String>,
    /// Only units that are in the hands of this actor.
    pub holder: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Units of work, the newest first.
#[utoipa::path(
    get, path = "/api/v1/uows", tag = "units", params(UowsQuery),
    responses((status = 200, body = List<UnitBody>), ProblemResponses)
)]
pub async fn list_uows(
    State(app): Shared,
    caller: Caller,
    uri: Uri,
    Asked(query): Asked<UowsQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let after: Option<Uuid> = place(query.cursor.as_deref())?;
    let given = |word: Option<String>| word.filter(|word| !word.is_empty());
    let mut filter = UnitFilter {
        instance_id: None,
        run_id: id_in_query("run", query.run.as_deref())?,
        status: given(query.status),
        place: given(query.place),
        role: given(query.role),
        parent_id: id_in_query("parent", query.parent.as_deref())?,
        holder: given(query.holder),
    };
    if let Some(word) = &filter.status
        && UnitStatus::parse(word).is_none()
    {
        let known: Vec<&str> = UnitStatus::ALL.iter().map(|one| one.as_str()).collect();
        let hint = windlass_core::nearest(word, known.iter().copied());
        let hint = hint.unwrap_or_else(|| known.join(", "));
        return Err(Problem::parameter("status", format!("`{word:.40}` is none; {hint}")));
    }
    match given(query.instance) {
        Some(word) => {
            let instance = units::instance::find(&app, caller.project(), &word).await?;
            filter.instance_id = Some(instance.id());
        }
        None if filter.place.is_some() || filter.role.is_some() => {
            let message = "it is needed with `place` and `role`, which are those of one instance";
            return Err(Problem::parameter("instance", message));
        }
        None => {}
    }
    let project = caller.project().to_owned();
    let read = move |store: &dyn Store| store.units(&project, &filter, after, limit);
    let found = app.engine.read(read).await?;
    let last = found.items.last().filter(|_| found.has_more);
    let next_cursor = last.map(|last| cursor(&last.unit_id));
    let items = found.items.iter().map(UnitBody::from).collect();
    Ok(List { items, next_cursor }.answer(&uri))
}
