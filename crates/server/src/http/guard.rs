//! From where one may ask. Without a key loopback is open, so a web page elsewhere must not be able to
//! ask on behalf of its visitor: neither by a name that resolves to this machine (DNS rebinding), nor by
//! a form or script sent across sites.

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;

use super::cors;
use super::problem::{self, Problem};
use crate::app::App;

/// Headers every page has. Pages bring no script or style but their own.
const PAGE_HEADERS: [(header::HeaderName, &str); 4] = [
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// Tells browsers what they may do with an answer.
pub fn harden(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page {
        for (name, value) in PAGE_HEADERS {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
    }
}

/// Refuses who may not ask.
///
/// # Errors
///
/// `host-not-allowed` or `origin-not-allowed`.
pub fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let host = host_of(request)?;
    if !is_known(app, host.host()) {
        let message = format!(
            "the server does not go by the name `{}`; `server.hosts` lists further names",
            host.host()
        );
        return Err(Problem::new(problem::HOST_NOT_ALLOWED, message));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // A socket is opened by a GET that browsers send across sites, and then does anything.
    let upgrades = request.headers().contains_key(header::UPGRADE);
    if (!reads || upgrades) && !is_own(app, request.headers(), &host) {
        let message = "a page of another site must not change anything here";
        return Err(Problem::new(problem::ORIGIN_NOT_ALLOWED, message));
    }
    Ok(())
}

fn host_of(request: &Request) -> Result<Authority, Problem> {
    let from_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let text = request.uri().authority().map(Authority::as_str).or(from_header);
    let host = text.and_then(|text| text.parse().ok());
    host.ok_or_else(|| Problem::parameter("Host", "the header is needed"))
}

/// Whether the server goes by this name.
fn is_known(app: &App, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        // Who must show a key cannot be fooled by a name.
        || (app.gate.is_exposed && app.config.server.hosts.is_empty())
        || app.config.server.hosts.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

/// Whether a request comes from a page of ours or of an allowed site, or from no page at all.
fn is_own(app: &App, headers: &HeaderMap, host: &Authority) -> bool {
    let word = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match word(header::ORIGIN) {
        Some(origin) => {
            let own = origin.split_once("://");
            own.is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host.as_str()))
                || cors::is_allowed(app, origin)
        }
        // Browsers that leave `Origin` out say at least this much.
        None => {
            let site = word(header::HeaderName::from_static("sec-fetch-site"));
            !matches!(site, Some("cross-site" | "same-site"))
        }
    }
}
