use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{SecretBody, blocking, check_name};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};
use crate::vault::SECRET_BYTES_MAX;

/// A secret.
#[derive(Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// The secret: a text of 1 byte to 64 KiB. One of fewer than 4 bytes cannot be hidden in what
    /// attempts say.
    #[schema(write_only)]
    pub value: String,
}

/// Sets a secret, or replaces it. Attempts that begin from now on get the new one.
///
/// It is sealed before it is kept (AES-256-GCM), and nothing ever answers with it.
#[utoipa::path(
    put, path = "/api/v1/secrets/{name}", tag = "secrets",
    params(("name" = String, Path, pattern = "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        description = "Letters, digits and `_`, no digit first")),
    request_body(content = SecretRequest),
    responses(
        (status = 200, body = SecretBody),
        (status = 422, description = "`invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn put_secret(
    State(app): Shared,
    caller: Caller,
    Named(name): Named<String>,
    Body(SecretRequest { value }): Body<SecretRequest>,
) -> Result<Json<SecretBody>, Problem> {
    check_name(&name)?;
    if value.is_empty() || value.len() > SECRET_BYTES_MAX {
        let message = format!("a secret has 1 to {SECRET_BYTES_MAX} bytes");
        return Err(Problem::new(problem::INVALID_REQUEST, message));
    }
    let (vault, now) = (app.vault.clone(), app.engine.clock().now());
    let (project, by) = (caller.project().to_owned(), caller.name().to_owned());
    let row = blocking(move || vault.put(&project, &name, &value, (now, &by))).await?;
    Ok(Json(row.into()))
}
