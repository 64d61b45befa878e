//! `/login`: a key for a session of pages.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::{Deserialize, Serialize};
use windlass_store::AuditEntry;

use super::error::PageProblem;
use super::render::page as render_page;
use super::workflow::Told;
use crate::access::session::{Sessions, is_secure};
use crate::access::{Principal, Proof};
use crate::api::query::{Asked, unreadable};
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem};

#[derive(Serialize)]
struct Context {
    nav: &'static str,
    title: &'static str,
    next: String,
    is_dev: bool,
    refused: Option<Told>,
}

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Query {
    next: Option<String>,
}

/// What somebody has typed.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    key: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    dev: bool,
}

pub(super) async fn page(State(app): Shared, Asked(query): Asked<Query>) -> Response {
    let next = query.next.unwrap_or_default();
    if app.gate.is_open() {
        return Redirect::to(local(&next)).into_response();
    }
    show(&app, next, None)
}

fn show(app: &App, next: String, refused: Option<Problem>) -> Response {
    let status = refused.as_ref().map_or(axum::http::StatusCode::OK, Problem::status);
    let context = Context {
        nav: "",
        title: "Sign in",
        next,
        is_dev: app.gate.is_dev,
        refused: refused.map(Told::from),
    };
    let mut response = (status, render_page("login.html", context)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

pub(super) async fn sign_in(
    State(app): Shared,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    filled: Result<Form<Filled>, FormRejection>,
) -> Result<Response, PageProblem> {
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer.ip());
    let Form(filled) = filled.map_err(|error| unreadable(&error.body_text()))?;
    if let Err(wait) = app.gate.sign_ins.check(peer) {
        return Ok(too_often(&app, filled.next, wait));
    }
    let found = match filled.dev && app.gate.is_dev {
        true => Ok(Principal { name: "dev".to_owned(), proof: Proof::Dev, ..Principal::local() }),
        false => app
            .gate
            .by_secret(filled.key.trim())
            .await
            .map(|caller| std::sync::Arc::unwrap_or_clone(caller.principal)),
    };
    let signed_in = found.and_then(|principal| Ok((app.gate.session_for(&principal)?, principal)));
    let (cookie, principal) = match signed_in {
        Ok(signed_in) => signed_in,
        Err(problem) => {
            if problem.code == problem::UNAUTHENTICATED {
                app.gate.sign_ins.failed(peer);
                let from = peer.map(tracing::field::display);
                tracing::warn!(peer = from, "somebody could not sign in");
            }
            return Ok(show(&app, filled.next, Some(problem)));
        }
    };
    let entry = AuditEntry {
        at: app.engine.clock().now(),
        project: principal.project,
        principal: principal.name,
        action: "session.create".to_owned(),
        target: "/login".to_owned(),
        detail: None,
    };
    app.gate.audit.append(entry).await;
    let mut response = Redirect::to(local(&filled.next)).into_response();
    let cookie = app.gate.sessions.set_cookie(&cookie, is_secure(&headers));
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// The answer to whom nobody listens for a while.
fn too_often(app: &App, next: String, wait: Duration) -> Response {
    let seconds = wait.as_secs().saturating_add(1);
    let message = format!("too many sign-ins from your address have failed; go on in {seconds} s");
    let mut response = show(app, next, Some(Problem::new(problem::RATE_LIMITED, message)));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(super) async fn sign_out(headers: HeaderMap) -> Response {
    let mut response = Redirect::to("/login").into_response();
    let cookie = Sessions::clear_cookie(is_secure(&headers));
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// A path of ours. A link to the login page must not lead on to another site.
fn local(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && next.parse::<axum::http::Uri>().is_ok();
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn the_login_page_leads_nowhere_else() {
        assert_eq!(local("/runs?status=failed"), "/runs?status=failed");
        for odd in ["", "https://example.org", "//example.org", "/\\example.org", "/\t/x", "runs"] {
            assert_eq!(local(odd), "/", "{odd}");
        }
    }
}
