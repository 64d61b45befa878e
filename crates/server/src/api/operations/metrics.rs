use axum::extract::State;
use axum::response::Response;

use crate::app::Shared;
use crate::http::observe::with_type;

/// What is counted, in the text format of OpenMetrics.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
pub async fn metrics(State(app): Shared) -> Response {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    with_type(TYPE, app.metrics.render(&app.engine))
}
