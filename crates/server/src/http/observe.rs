//! Around every request: its time limit, its id, its place in the metrics.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::prefer::PREFER;
use super::problem::{self, Problem};
use crate::app::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Counts a request and ends it if it takes too long.
pub async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let request_id = request.headers().get(REQUEST_ID).filter(|id| id.len() <= 128).cloned();
    // Whoever asks to be kept waiting has a limit of their own.
    let limit = if request.headers().contains_key(PREFER) {
        app.config.server.wait_time_max.0 + app.config.server.request_time_max.0
    } else {
        app.config.server.request_time_max.0
    };
    let mut response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("there was no answer within {limit:?}");
            Problem::new(problem::REQUEST_TIMEOUT, message).into_response()
        }
    };
    if let Some(id) = request_id {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics.request(route, method_name(&method), response.status().as_u16(), began.elapsed());
    response
}

/// The method, unless somebody made it up.
fn method_name(method: &axum::http::Method) -> &'static str {
    use axum::http::Method;
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Turns a panic into a problem, so that a bug of ours costs one answer and not a connection.
pub async fn catch(request: Request, next: Next) -> Response {
    use futures_util::FutureExt;
    let path = request.uri().path().to_owned();
    let answer = std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await;
    answer.unwrap_or_else(|_| {
        tracing::error!(http.path = %path, "a handler panicked");
        Problem::new(problem::INTERNAL, "the server's log says more").into_response()
    })
}

/// Answers with a fixed content type.
pub fn with_type(content_type: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let value = HeaderValue::from_static(content_type);
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, value);
    response
}
