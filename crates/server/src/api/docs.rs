//! `/openapi.json`, `/docs` (Swagger UI, from this binary) and the pages about problems.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::App;
use crate::http::observe::with_type;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| super::openapi().to_string());

/// The routes that describe the others.
pub(super) fn router() -> Router<Arc<App>> {
    // There is one document; the bar for choosing another would only carry a foreign logo.
    let ui = SwaggerUi::new("/docs").config(Config::new(["/openapi.json"]).use_base_layout());
    Router::new().route("/openapi.json", get(openapi_json)).merge(ui)
}

async fn openapi_json() -> Response {
    with_type("application/json", DOCUMENT.as_str())
}
