//! Routes that were kept for clients of other systems, and what a new client asks instead (RFC 9745).

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Since when, as a date of RFC 9651: the seconds since 1970 of 2026-11-21.
const SINCE: HeaderValue = HeaderValue::from_static("@1795219200");
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// What to ask instead of what.
const SUCCESSORS: &[(&str, &str)] = &[
    ("/api/v1/jobs", "/api/v1/runs"),
    ("/api/v1/jobs/{run}", "/api/v1/runs/{run}"),
    ("/api/v1/jobs/{run}/logs", "/api/v1/runs/{run}/logs"),
    ("/api/v1/jobs/{run}/cancel", "/api/v1/runs/{run}/cancel"),
    ("/sse/runs/{run}", "/api/v1/runs/{run}/stream"),
];

/// What a new client asks instead of this route.
pub fn successor(route: &str) -> Option<&'static str> {
    SUCCESSORS.iter().find(|(old, _)| *old == route).map(|(_, new)| *new)
}

/// Says of an answer that its route has a successor. There is no day on which it goes.
pub fn mark(response: &mut Response, route: &str) {
    let Some(successor) = successor(route) else { return };
    let headers = response.headers_mut();
    headers.insert(DEPRECATION, SINCE);
    // A route with a placeholder is a template, which `Link` cannot hold; the docs have it.
    let link = match successor.contains('{') {
        true => "</docs/>; rel=\"deprecation\"".to_owned(),
        false => format!("<{successor}>; rel=\"successor-version\""),
    };
    if let Ok(link) = HeaderValue::try_from(link) {
        headers.append(header::LINK, link);
    }
}
