use axum::Json;
use axum::response::Redirect;
use serde::Serialize;
use utoipa::ToSchema;

/// What this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct RootBody {
    /// The program.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// `running`.
    pub status: &'static str,
}

/// What this is, for programs; people are led to `/flows`.
#[utoipa::path(
    get, path = "/", tag = "facades",
    responses((status = 200, body = RootBody), crate::facade::DetailResponses)
)]
pub async fn root() -> Json<RootBody> {
    Json(RootBody { name: "Windlass", version: env!("CARGO_PKG_VERSION"), status: "running" })
}

/// The same, for people.
pub(crate) async fn page() -> Redirect {
    Redirect::to("/flows")
}
