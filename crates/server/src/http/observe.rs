//! Around every request: who may ask, an audit record, a time limit, a net for our own mistakes, the metrics. One
//! layer, because each would cost every request an allocation of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::prefer::PREFER;
use super::problem::{self, Problem};
use super::{deprecation, guard};
use crate::access::audit::Record;
use crate::access::{Caller, layer};
use crate::api::prompts;
use crate::api::tasks::poll;
use crate::app::App;
use crate::mcp;

/// The header with the id of a request, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id of a client's that is taken.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The id of a request, for handlers.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// As text.
    pub fn text(&self) -> String {
        self.0.to_str().unwrap_or_default().to_owned()
    }
}

/// Lets a request through, and sees to its answer.
pub async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let request_id = request_id(&app, &request);
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let span = tracing::info_span!("request", request.id = request_id.to_str().unwrap_or_default());
    let mut response = async {
        if let Err(problem) = guard::check(&app, &request) {
            return problem.into_response();
        }
        let path = request.uri().path().to_owned();
        let id = request_id.to_str().unwrap_or_default();
        let begin = |caller: &Caller, action| {
            Record::begin(&app.engine, &app.gate.audit, caller, action, &path, id)
        };
        let (record, response) = match layer::admit(&app, request).await {
            Ok(admitted) => {
                let record = admitted.caller.and_then(|caller| begin(&caller, admitted.action));
                (record, answer(&app, admitted.request, next).await)
            }
            Err(refusal) => {
                let record = refusal.tried.and_then(|(caller, action)| begin(&caller, action));
                (record, refusal.response)
            }
        };
        if let Some(mut record) = record {
            record.answered(&response);
            record.write().await;
        }
        response
    }
    .instrument(span.clone())
    .await;
    guard::harden(&mut response);
    response.headers_mut().insert(REQUEST_ID, request_id);
    let (route, method) =
        (route.as_ref().map_or("none", MatchedPath::as_str), method_name(&method));
    deprecation::mark(&mut response, route);
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.request(route, method, status, took);
    let _in_span = span.enter();
    let duration_ms = took.as_secs_f64() * 1e3;
    // The path may hold names that people chose; the route says enough.
    if status >= 500 {
        tracing::warn!(method, route, status, duration_ms, "answered");
    } else {
        tracing::debug!(method, route, status, duration_ms, "answered");
    }
    response
}

/// The id by which a request is found in logs: the client's, if it can stand in a log line, else one
/// of ours.
fn request_id(app: &App, request: &Request) -> HeaderValue {
    let is_word = |id: &&HeaderValue| {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte);
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
    };
    request.headers().get(REQUEST_ID).filter(is_word).cloned().unwrap_or_else(|| {
        let id = windlass_engine::ids::new_id(app.engine.clock().now());
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = id.hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("-"))
    })
}

/// The answer within its time. A panic is a bug of ours and must not cost the connection.
async fn answer(app: &App, request: Request, next: Next) -> Response {
    let limit = time_limit(app, &request);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Problem::new(problem::INTERNAL, "the server's log says more").into_response()
        }
        Err(_) => {
            let message = format!("there was no answer within {limit:?}");
            Problem::new(problem::REQUEST_TIMEOUT, message).into_response()
        }
    }
}

fn time_limit(app: &App, request: &Request) -> Duration {
    let server = &app.config.server;
    // Whoever asks to be kept waiting has a limit of their own; agents ask for it in the body. A
    // model takes its time.
    let path = request.uri().path();
    if path == poll::PATH {
        return poll::WAIT_MAX + server.request_time_max.0;
    }
    let is_slow = path == mcp::PATH || path == prompts::test::PATH;
    if request.headers().contains_key(PREFER) || is_slow {
        server.wait_time_max.0 + server.request_time_max.0
    } else {
        server.request_time_max.0
    }
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

/// Answers with a fixed content type.
pub fn with_type(content_type: &'static str, body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let value = HeaderValue::from_static(content_type);
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, value);
    response
}
