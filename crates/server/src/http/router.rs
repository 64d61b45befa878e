//! Everything that can be asked, in one router.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};

use super::cors;
use super::observe;
use super::problem::{self, Problem};
use crate::app::App;
use crate::{api, mcp, pages};

/// The router.
pub fn router(app: &Arc<App>) -> Router {
    let body_bytes_max = usize::try_from(app.config.server.body_bytes_max).unwrap_or(usize::MAX);
    let router = api::router()
        .merge(pages::router())
        .merge(mcp::router())
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(app.clone(), observe::observe))
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(app.clone());
    match cors::layer(app) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

async fn no_such_route(uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("there is nothing at `{}`; `/openapi.json` lists what is", uri.path());
    let problem = Problem::new(problem::NO_SUCH_ROUTE, message);
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    // A browser is a person, who has mistyped the address of a page.
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return pages::problem(problem);
    }
    problem.into_response()
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    let message = format!("`{}` does not know {method}", uri.path());
    Problem::new(problem::METHOD_NOT_ALLOWED, message).into_response()
}
