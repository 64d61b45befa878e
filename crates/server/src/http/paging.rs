//! Lists in pages: `?limit=` and an opaque `?cursor=`, answered with `next_cursor` and `Link`.

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::problem::Problem;

/// Items of a page if `limit` is left out.
pub const LIMIT: usize = 50;
/// The largest `limit`.
pub const LIMIT_MAX: usize = 1_000;
/// A page ends early once its inputs and outputs have as many bytes.
pub const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T: ToSchema> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last page.
    pub next_cursor: Option<String>,
}

/// How many items to answer with.
///
/// # Errors
///
/// If it is no number from 1 to [`LIMIT_MAX`].
pub fn limit(asked: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = asked else { return Ok(LIMIT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Problem::parameter("limit", format!("a number from 1 to {LIMIT_MAX}")))
}

/// A place in a list, as a word for clients.
pub fn cursor(place: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The place behind a word. An empty one is the beginning, as if it were left out.
///
/// # Errors
///
/// If it is no word of ours.
pub fn place<T: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some(word) = cursor.filter(|word| !word.is_empty()) else { return Ok(None) };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(word).ok();
    match bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(place) => Ok(Some(place)),
        None => Err(Problem::parameter("cursor", "not a `next_cursor` of this list")),
    }
}

impl<T: Serialize + ToSchema> List<T> {
    /// The page as an answer to a request for `uri`, with a `Link` to the next one.
    pub fn answer(self, uri: &Uri) -> Response {
        let link = self.next_cursor.as_ref().and_then(|cursor| {
            let kept = uri.query().unwrap_or_default().split('&');
            let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
            let query: Vec<&str> = kept.collect();
            let joint = if query.is_empty() { "" } else { "&" };
            let target = format!("{}?{}{joint}cursor={cursor}", uri.path(), query.join("&"));
            HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")).ok()
        });
        let mut response = Json(self).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}
