use axum::extract::State;
use axum::http::StatusCode;

use super::{blocking, check_name};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::{self, Problem};

/// Forgets a secret. Steps that need it fail with `secret_missing` from now on.
#[utoipa::path(
    delete, path = "/api/v1/secrets/{name}", tag = "secrets",
    params(("name" = String, Path, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        description = "Its name")),
    responses((status = 204, description = "It is forgotten"), ProblemResponses)
)]
pub async fn delete_secret(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<StatusCode, Problem> {
    check_name(&name)?;
    let (store, project) = (app.engine.store().clone(), caller.project().to_owned());
    let wanted = name.clone();
    if blocking(move || store.delete_secret(&project, &wanted)).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let message = format!("there is no secret `{name}`");
    Err(Problem::new(problem::SECRET_NOT_FOUND, message))
}
