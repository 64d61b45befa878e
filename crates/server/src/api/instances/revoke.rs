use axum::extract::State;
use axum::http::StatusCode;

use crate::access::Caller;
use crate::api::query::Named;
use crate::api::words::id_of;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemResponses};
use crate::units;

/// Takes an assignment back. What the actor holds stays theirs; asking for more is refused, as long
/// as others are assigned to the role. A role of which the last assignment is taken back is for
/// everybody again.
#[utoipa::path(
    delete, path = "/api/v1/instances/{instance}/actors/{assignment}", tag = "instances",
    params(
        ("instance" = String, Path, description = "Id or name"),
        ("assignment" = String, Path, description = "The assignment's id"),
    ),
    responses((status = 204, description = "It is taken back"), ProblemResponses)
)]
pub async fn revoke_assignment(
    State(app): Shared,
    caller: Caller,
    Named((word, assignment)): Named<(String, String)>,
) -> Result<StatusCode, Problem> {
    let instance = units::instance::find(&app, caller.project(), &word).await?;
    let id = id_of(&assignment, problem::ACTOR_NOT_FOUND)?;
    units::assign::revoke(&app, &instance, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
