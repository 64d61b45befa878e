use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

use crate::access::Caller;
use crate::api::key::{no_key, visible};
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};

/// Takes a key back. It is good for nothing from now on; streams that stand on it end. Taking back
/// the last key does not open the server again.
#[utoipa::path(
    delete, path = "/api/v1/keys/{key}", tag = "access",
    params(("key" = String, Path, description = "Its id")),
    responses((status = 204, description = "It is taken back"), ProblemResponses)
)]
pub async fn revoke_key(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<StatusCode, Problem> {
    let wanted = |_| Problem::new(problem::KEY_NOT_FOUND, "the id of a key is a UUID");
    let id: Uuid = word.parse().map_err(wanted)?;
    let now = app.engine.clock().now();
    let (store, project) = (app.engine.store().clone(), visible(&caller));
    let revoked = tokio::task::spawn_blocking(move || {
        // Keys of other projects are not there for who cannot see them.
        if let Some(project) = project {
            let mine = store.api_keys(Some(&project), before(id), 1)?;
            if mine.items.first().is_none_or(|key| key.key_id != id) {
                return Ok(None);
            }
        }
        store.revoke_api_key(id, now)
    });
    let revoked =
        revoked.await.map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))?;
    revoked?.ok_or_else(|| no_key(id))?;
    app.gate.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// The id right before another, behind which a list begins with that one.
fn before(id: Uuid) -> Option<Uuid> {
    id.as_u128().checked_sub(1).map(Uuid::from_u128)
}
