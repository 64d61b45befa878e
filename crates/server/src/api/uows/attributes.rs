use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;
use windlass_core::json;
use windlass_store::Store;

use super::row;
use crate::access::Caller;
use crate::api::query::{Asked, Named};
use crate::api::unit::{AttributeBody, VersionedAttribute};
use crate::app::Shared;
use crate::http::paging::{List, PAGE_BYTES_MAX, cursor, limit, place};
use crate::http::{Problem, ProblemResponses};
use crate::units::story::tell;

/// Which attributes, and which page of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct AttributesQuery {
    /// Only versions of this attribute.
    pub name: Option<String>,
    /// How many items, 1 to 1,000. 50 if left out.
    pub limit: Option<String>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// All versions of the attributes of a unit of work, in the order in which they were written. What was
/// written is never changed; what is written later is another version.
#[utoipa::path(
    get, path = "/api/v1/uows/{uow}/attributes", tag = "units",
    params(("uow" = String, Path, description = "Its id"), AttributesQuery),
    responses((status = 200, body = List<VersionedAttribute>), ProblemResponses)
)]
pub async fn uow_attributes(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    uri: Uri,
    Asked(query): Asked<AttributesQuery>,
) -> Result<Response, Problem> {
    let limit = limit(query.limit.as_deref())?;
    let from: usize = place(query.cursor.as_deref())?.unwrap_or(0);
    let wanted = query.name.filter(|name| !name.is_empty());
    let row = row(&app, &caller, &word).await?;
    let read = move |store: &dyn Store| {
        let (mut items, mut seen, mut weight, mut has_more) = (Vec::new(), 0_usize, 0, false);
        tell(store, row.run_id, &row.path, |moment| {
            for (name, value, version) in moment.written() {
                if wanted.as_ref().is_some_and(|wanted| wanted != name) {
                    continue;
                }
                if seen >= from && (items.len() == limit || weight > PAGE_BYTES_MAX) {
                    has_more = true;
                    return false;
                }
                seen += 1;
                if seen <= from {
                    continue;
                }
                weight += json::size(value);
                items.push(VersionedAttribute {
                    name: name.clone(),
                    attribute: AttributeBody {
                        value: (**value).clone(),
                        version,
                        actor: moment.by().to_owned(),
                        reasoning: moment.reasoning().map(str::to_owned),
                        at: moment.at.to_string(),
                    },
                });
            }
            true
        })?;
        Ok(List { items, next_cursor: has_more.then(|| cursor(&seen)) })
    };
    Ok(app.engine.read(read).await?.answer(&uri))
}
