use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::readyz::readyz;
use crate::app::Shared;

/// How the server feels.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthBody {
    /// `healthy` or `unhealthy`.
    pub status: &'static str,
    /// The same as true or false.
    pub ok: bool,
    /// The time of the server, RFC 3339.
    pub timestamp: String,
    /// What is wrong, if something is.
    pub detail: Option<String>,
    /// The version of this program.
    pub version: &'static str,
    /// This process.
    pub boot_id: Uuid,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Runs in memory. Waiting runs are not.
    pub live_run_count: usize,
    /// Attempts being made, or waiting for their turn.
    pub attempt_count: usize,
}

/// The same as `/health`, where some clients look for it.
#[utoipa::path(
    get, path = "/api/health", tag = "operations",
    responses((status = 200, body = HealthBody), (status = 503, body = HealthBody))
)]
pub async fn api_health(app: Shared) -> (StatusCode, Json<HealthBody>) {
    health(app).await
}

/// How the server feels, in more words than `/readyz`.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses((status = 200, body = HealthBody), (status = 503, body = HealthBody))
)]
pub async fn health(State(app): Shared) -> (StatusCode, Json<HealthBody>) {
    let detail = readyz(State(app.clone())).await.err().map(|problem| problem.detail);
    let health = app.engine.health();
    let status = if detail.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = HealthBody {
        ok: detail.is_none(),
        timestamp: app.engine.clock().now().to_string(),
        status: if detail.is_none() { "healthy" } else { "unhealthy" },
        detail,
        version: env!("CARGO_PKG_VERSION"),
        boot_id: app.boot_id,
        started_at: app.started_at.to_string(),
        live_run_count: health.live_run_count,
        attempt_count: health.attempt_count,
    };
    (status, Json(body))
}
