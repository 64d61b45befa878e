//! Paths that are a page to a person and JSON to a program, by what the request says it accepts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::{MethodRouter, get};

use crate::app::App;

/// Whether who asks is a person: only browsers name HTML.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter();
    accepts.any(|accept| accept.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// One path with two answers.
pub fn page_or_json<P, T, J, U>(page: P, json: J) -> MethodRouter<Arc<App>>
where
    P: Handler<T, Arc<App>> + Sync,
    T: Send + Sync + 'static,
    J: Handler<U, Arc<App>> + Sync,
    U: Send + Sync + 'static,
{
    get(move |State(app): State<Arc<App>>, request: Request| async move {
        let mut response = match wants_page(request.headers()) {
            true => page.call(request, app).await,
            false => json.call(request, app).await,
        };
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
        response
    })
}
