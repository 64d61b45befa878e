use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::blocking;
use crate::app::Shared;
use crate::http::{Problem, ProblemResponses};

/// What has become of a rotation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RotateBody {
    /// How many secrets were sealed anew.
    pub count: usize,
}

/// Seals every secret anew that an earlier key has sealed, of all projects. After that
/// `secrets.previous_key_files` is not needed any more.
#[utoipa::path(
    post, path = "/api/v1/secrets/rotate", tag = "secrets",
    responses((status = 200, body = RotateBody), ProblemResponses)
)]
pub async fn rotate_secrets(State(app): Shared) -> Result<Json<RotateBody>, Problem> {
    let vault = app.vault.clone();
    let count = blocking(move || vault.rotate()).await?;
    Ok(Json(RotateBody { count }))
}
