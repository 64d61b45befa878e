use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use windlass_store::AuditVerdict;

use crate::app::{App, Shared};
use crate::http::{Problem, ProblemResponses, problem};

/// What a look through the audit log has found.
#[derive(Debug, Serialize, ToSchema)]
pub struct VerifyBody {
    /// Whether every record is as it was written.
    pub ok: bool,
    /// How many are, from the first on.
    pub checked: u64,
    /// The number of the first that is not, or is missing.
    pub first_altered: Option<i64>,
}

/// Looks through the audit log for records that were altered, added or taken out. Records cut off its
/// end leave no trace.
#[utoipa::path(
    get, path = "/api/v1/audit/verify", tag = "access",
    responses((status = 200, body = VerifyBody), ProblemResponses)
)]
pub async fn verify_audit(State(app): Shared) -> Result<Json<VerifyBody>, Problem> {
    let verdict = verify(&app).await?;
    Ok(Json(VerifyBody {
        ok: verdict.first_altered.is_none(),
        checked: verdict.checked,
        first_altered: verdict.first_altered,
    }))
}

/// Looks through the whole log.
///
/// # Errors
///
/// If the store cannot be read.
pub async fn verify(app: &App) -> Result<AuditVerdict, Problem> {
    // It reads page by page, so it is not bound by the time limit of one read.
    let store = app.engine.store().clone();
    let verdict = tokio::task::spawn_blocking(move || store.verify_audit()).await;
    Ok(verdict.map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))??)
}
