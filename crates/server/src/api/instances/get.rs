use axum::Json;
use axum::extract::State;

use crate::access::Caller;
use crate::api::instance::InstanceDetail;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};
use crate::units;

/// An instance: its roles, interactions, components and guardians with their ids, those of the
/// workflows that roles refer to among them, and how many units stand where.
#[utoipa::path(
    get, path = "/api/v1/instances/{instance}", tag = "instances",
    params(("instance" = String, Path, description = "Id or name; of several of one name, the newest")),
    responses((status = 200, body = InstanceDetail), ProblemResponses)
)]
pub async fn get_instance(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
) -> Result<Json<InstanceDetail>, Problem> {
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let id = instance.id();
    let counts = app.engine.read(move |store| store.unit_counts(id)).await?;
    Ok(Json(InstanceDetail::of(&instance, counts)))
}
