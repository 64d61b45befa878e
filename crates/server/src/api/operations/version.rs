use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// What program this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionInfo {
    /// `windlass`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version of the API, the part of the paths behind `/api/`.
    pub api: &'static str,
}

/// What program this is.
#[utoipa::path(
    get, path = "/version", tag = "operations",
    responses((status = 200, body = VersionInfo))
)]
pub async fn version() -> Json<VersionInfo> {
    Json(VersionInfo { name: "windlass", version: env!("CARGO_PKG_VERSION"), api: "v1" })
}
