//! Windlass for AI agents: the Model Context Protocol (MCP) at `POST /mcp`.
//!
//! ```text
//!   access::layer ──► answer ──► rmcp ──► Handler ──► tools/        one file per tool ──► api::…
//!   who calls         (here)     the      who may     workflow.rs   each workflow is a tool
//!                                protocol see what
//! ```
//!
//! A tool does what an endpoint does, by the same function of [`crate::api`]. Nothing is kept between
//! two requests: there is no session to lose when the server starts anew.
//!
//! To add a tool: one file in `tools/` with its arguments and `call`, one line in `tools/mod.rs`, one
//! in `docs/mcp.md`.

mod handler;
mod name;
mod schema;
mod show;
mod tool;
mod tools;
mod workflow;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use self::handler::Handler;
use self::tool::Call;
use crate::access::Caller;
use crate::app::{App, Shared};
use crate::http::body;
use crate::http::observe::RequestId;

/// Its one route. `GET` and `DELETE` are for sessions, and are refused like every method that a path
/// does not know.
pub fn router() -> Router<Arc<App>> {
    Router::new().route(PATH, post(answer))
}

/// Where it is.
pub const PATH: &str = "/mcp";

/// One message of the protocol, and its answer.
async fn answer(State(app): Shared, caller: Caller, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().map(RequestId::text);
    let (parts, content) = request.into_parts();
    let bytes = match body::read(Request::from_parts(parts.clone(), content), &app).await {
        Ok(bytes) => bytes,
        Err(problem) => return problem.into_response(),
    };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(bytes.len())
        // `http::guard` has looked at Host and Origin by the rules of the whole server.
        .disable_allowed_hosts();
    let handler = Handler::new(Call { app, caller }, request_id.unwrap_or_default());
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(handler.clone()), sessions, config);
    let request = Request::from_parts(parts, axum::body::Body::from(bytes));
    service.handle(request).await.map(axum::body::Body::new)
}
