//! Before every route: who calls, and whether they may. Nothing of the request but its head has been
//! read by then.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::principal::Caller;
use super::table::{self, Need, Route};
use super::{gate, session};
use crate::app::App;
use crate::http::accept::wants_page;
use crate::http::body;
use crate::http::problem::{self, Problem};

/// The header with the token that forms have, for scripts of our own pages.
const FORM_TOKEN: &str = "x-csrf-token";
/// The field of a form with its token.
const FORM_FIELD: &str = "csrf";
/// What says how a credential is to be shown.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"windlass\"");

/// A request that may not pass.
pub struct Refusal {
    /// The answer.
    pub response: Response,
    /// Who it was that asked for what, in the audit log's words, if that is known.
    pub tried: Option<(Caller, &'static str)>,
}

impl From<Response> for Refusal {
    fn from(response: Response) -> Refusal {
        Refusal { response, tried: None }
    }
}

/// A request that may pass.
pub struct Admitted {
    /// The request, which knows its caller.
    pub request: Request,
    /// Who calls; nobody on public routes.
    pub caller: Option<Caller>,
    /// What it does, in the audit log's words.
    pub action: &'static str,
}

/// Lets a request pass, or answers it.
///
/// # Errors
///
/// The answer: `unauthenticated` or the way to the login page, `forbidden`, `rate-limited`, `csrf`,
/// `method-not-allowed`.
pub async fn admit(app: &Arc<App>, mut request: Request) -> Result<Admitted, Refusal> {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let routes = path.as_ref().map_or(&[][..], |path| table::of_path(path.as_str()));
    let route = table::of_method(routes, request.method());
    if let Some(Route { need: Need::Nobody, .. }) = route {
        return Ok(Admitted { request, caller: None, action: "" });
    }
    // Only this process itself can have put one there: it owns the data.
    let known = request.extensions().get::<Caller>().cloned();
    let found = match known {
        Some(caller) => Ok(caller),
        None => caller_of(app, request.headers()).await,
    };
    let caller = match found {
        Ok(caller) => caller,
        Err(problem) => return Err(turn_away(&request, path.as_ref(), problem).into()),
    };
    // Keys of two projects may have the same name.
    let whose = format!("{}/{}", caller.project(), caller.name());
    app.gate.limits.count(&whose).map_err(|wait| {
        let seconds = wait.as_secs().saturating_add(1);
        let message = format!("`{}` calls too often; go on in {seconds} s", caller.name());
        let mut response = Problem::new(problem::RATE_LIMITED, message).into_response();
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        response
    })?;
    let Some(route) = route else {
        let Some(path) = path else {
            // Whoever may come in is told that there is nothing.
            request.extensions_mut().insert(caller.clone());
            return Ok(Admitted { request, caller: Some(caller), action: "" });
        };
        return Err(no_route(path.as_str(), routes, request.method()).into());
    };
    if !route.need.is_met_by(&caller.principal) {
        let response = forbidden(&caller, route).into_response();
        return Err(Refusal { response, tried: Some((caller, route.action)) });
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if let Some(nonce) = caller.session.clone().filter(|_| changes) {
        let checked = check_form(app, request, route, &nonce).await;
        request = match checked {
            Ok(request) => request,
            Err(problem) => {
                let tried = Some((caller, route.action));
                return Err(Refusal { response: problem.into_response(), tried });
            }
        };
    }
    request.extensions_mut().insert(caller.clone());
    Ok(Admitted { request, caller: Some(caller), action: route.action })
}

/// Who calls.
async fn caller_of(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    // A child of ours is known by its token, also while nobody needs a key.
    if let Ok(Some(secret)) = secret(headers)
        && let Some(plugin) = app.gate.by_plugin_token(secret)
    {
        return Ok(plugin);
    }
    if let Some(local) = app.gate.local() {
        return Ok(local);
    }
    if let Some(secret) = secret(headers)? {
        return app.gate.by_secret(secret).await;
    }
    match session::cookie(headers) {
        Some(cookie) => app.gate.by_cookie(cookie).await,
        None => Err(gate::refused("a key is needed: `Authorization: Bearer wl_…` or `X-API-Key`")),
    }
}

/// The key or token that a request shows.
fn secret(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let unreadable = |_| gate::refused("the credential is no text");
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().map_err(unreadable)?;
        let (scheme, secret) = text.split_once(' ').unwrap_or((text, ""));
        return match scheme.eq_ignore_ascii_case("bearer") && !secret.trim().is_empty() {
            true => Ok(Some(secret.trim())),
            false => Err(gate::refused("`Authorization` must be `Bearer` and a key or token")),
        };
    }
    headers
        .get("x-api-key")
        .map(|value| value.to_str().map(str::trim).map_err(unreadable))
        .transpose()
}

/// The answer to whom nobody knows. A person is shown where to sign in.
fn turn_away(request: &Request, path: Option<&MatchedPath>, problem: Problem) -> Response {
    let is_page = match path.map(MatchedPath::as_str) {
        Some(path) if is_either(path) => wants_page(request.headers()),
        // What a script of ours asks for is no page to go on from.
        Some(path) => is_for_people(path),
        None => wants_page(request.headers()),
    };
    if is_page && problem.code == problem::UNAUTHENTICATED {
        let uri = request.uri();
        let here = uri.path_and_query().map_or("/", |here| here.as_str());
        let next = if *request.method() == Method::GET { here } else { "/" };
        let place = format!("/login?next={}", crate::client::segment(next));
        return Redirect::to(&place).into_response();
    }
    let mut response = problem.into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
    response
}

/// Whether what a route answers is shown to a person as it is.
pub fn is_for_people(path: &str) -> bool {
    let is_part =
        path.ends_with("/live") || path.ends_with("/drawer") || path.starts_with("/live/");
    is_page(path) && !is_part
}

/// Whether a route is for people.
fn is_page(path: &str) -> bool {
    const PROGRAMS: [&str; 10] = [
        "/api/",
        "/v1/",
        "/sse/",
        "/ws/",
        "/metrics",
        "/mcp",
        "/workflow/",
        "/admin/",
        "/pilot/",
        "/internal/",
    ];
    !PROGRAMS.iter().any(|part| path.starts_with(part)) && !FOR_PROGRAMS.contains(&path)
}

/// Paths of other systems beside pages of ours.
const FOR_PROGRAMS: [&str; 5] = [
    "/workflows/from-template/{template}",
    "/workflows/{workflow}/execute",
    "/workflows/{workflow}/status",
    "/workflows/{workflow}/uows",
    "/uows/{uow}/complete",
];

/// Whether a path is a page to a person and JSON to a program. Whatever changes something there is for
/// programs.
fn is_either(path: &str) -> bool {
    ["/", "/workflows", "/workflows/{workflow}", "/uows/{uow}"].contains(&path)
}

fn forbidden(caller: &Caller, route: &Route) -> Problem {
    let principal = &caller.principal;
    let mut who = format!("`{}` is {}", caller.name(), principal.role.as_str());
    if let Some(scopes) = &principal.scopes {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        who.push_str(&format!(" with the scope {}", scopes.join(", ")));
    }
    let message = match route.need {
        Need::May(permission) => format!("{who}, which may not {}", permission.as_str()),
        Need::OfServer(permission) => {
            let what = permission.as_str();
            format!(
                "{who} in `{}`; this takes a key of `default` that may {what}",
                caller.project()
            )
        }
        Need::Nobody | Need::Anyone => who,
    };
    Problem::new(problem::FORBIDDEN, message)
}

fn no_route(path: &str, routes: &[&Route], method: &Method) -> Response {
    if routes.is_empty() {
        tracing::error!(route = path, "the route has no line in the table of access");
        return Problem::new(problem::FORBIDDEN, "nobody has been given access to this")
            .into_response();
    }
    let message = format!("`{path}` does not know {method}");
    let mut response = Problem::new(problem::METHOD_NOT_ALLOWED, message).into_response();
    let known: Vec<&str> = routes.iter().map(|route| route.method).collect();
    let allow = HeaderValue::from_str(&known.join(", ")).ok();
    response.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
    response
}

/// A browser sends its session by itself, so what changes something must also show that a page of
/// ours has sent it.
async fn check_form(
    app: &App,
    request: Request,
    route: &Route,
    nonce: &str,
) -> Result<Request, Problem> {
    let is_good = |token: &str| app.gate.sessions.is_form_token(nonce, token);
    if let Some(token) = request.headers().get(FORM_TOKEN) {
        return match token.to_str().is_ok_and(is_good) {
            true => Ok(request),
            false => Err(no_token("the token in `X-CSRF-Token` is not that of this session")),
        };
    }
    if !is_page(route.path) || is_either(route.path) {
        // Who is let in without a key has no session that could be abused.
        return match app.gate.is_open() {
            true => Ok(request),
            false => Err(no_token("with a session, `X-CSRF-Token` is needed")),
        };
    }
    let (parts, content) = request.into_parts();
    let whole = Request::from_parts(parts.clone(), content);
    let bytes = body::read(whole, app).await?;
    let token = form_field(&bytes, FORM_FIELD);
    if !token.as_deref().is_some_and(is_good) {
        return Err(no_token("the form's token is missing or old; load its page again"));
    }
    Ok(Request::from_parts(parts, axum::body::Body::from(bytes)))
}

fn no_token(message: &str) -> Problem {
    Problem::new(problem::CSRF, message)
}

/// A field of a form.
fn form_field(bytes: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    let value = percent_encoding::percent_decode_str(value).decode_utf8().ok()?;
    Some(value.into_owned())
}
