use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::app::Shared;
use crate::http::observe::with_type;
use crate::metrics::as_text;

/// What is counted: in the text format of OpenMetrics for who names it in `Accept`, as Prometheus does,
/// else in Prometheus's own.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub async fn metrics(State(app): Shared, headers: HeaderMap) -> Response {
    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    let mut accepts = headers.get_all(header::ACCEPT).iter();
    let is_open = accepts
        .any(|it| it.to_str().is_ok_and(|text| text.contains("application/openmetrics-text")));
    let page = app.metrics.render(&app.engine);
    let mut response = match is_open {
        true => with_type(OPEN, page),
        false => with_type(TEXT, as_text(&page)),
    };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}
