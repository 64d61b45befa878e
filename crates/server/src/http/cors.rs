//! Which other sites' pages may ask from a browser: none, unless the settings name them. They bring
//! a key of their own; a session's cookie is never sent across sites.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header, request};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::key::IDEMPOTENCY_KEY;
use super::observe::REQUEST_ID;
use super::prefer::{PREFER, PREFERENCE_APPLIED};
use crate::app::App;

/// How long a browser may remember what it was told.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// Whether pages of `origin` may ask.
pub fn is_allowed(app: &App, origin: &str) -> bool {
    let allowed = &app.config.server.cors_allowed_origins;
    // `*` is for servers that ask for a key: else every site could do everything.
    let any = || allowed.iter().any(|one| one == "*") && !app.gate.is_open();
    allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)) || any()
}

/// What answers browsers, if any site is allowed.
pub fn layer(app: &Arc<App>) -> Option<CorsLayer> {
    if app.config.server.cors_allowed_origins.is_empty() {
        return None;
    }
    let app = app.clone();
    let origins = AllowOrigin::predicate(move |origin: &HeaderValue, _: &request::Parts| {
        origin.to_str().is_ok_and(|origin| is_allowed(&app, origin))
    });
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            PREFER,
            REQUEST_ID,
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("mcp-method"),
            HeaderName::from_static("mcp-name"),
            HeaderName::from_static("mcp-protocol-version"),
            HeaderName::from_static("x-api-key"),
        ])
        .expose_headers([
            header::ETAG,
            header::LINK,
            header::LOCATION,
            header::RETRY_AFTER,
            PREFERENCE_APPLIED,
            REQUEST_ID,
        ])
        .max_age(REMEMBERED);
    Some(layer)
}
