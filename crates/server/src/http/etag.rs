//! `ETag`, `If-Match` and `If-None-Match` of workflows. The tag names workflow and version, and a
//! version never changes, so it is a strong one.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;

use super::problem::{self, Problem};

/// The tag of a workflow's version.
pub fn etag(workflow_id: Uuid, version: u32) -> String {
    format!("\"{}.{version}\"", workflow_id.simple())
}

/// The tag as a header's value.
pub fn header_value(tag: &str) -> HeaderValue {
    HeaderValue::from_str(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Refuses a change if `If-Match` names another version.
///
/// # Errors
///
/// `version-mismatch`.
pub fn check_match(headers: &HeaderMap, current: &str) -> Result<(), Problem> {
    if !headers.contains_key(header::IF_MATCH) || names(headers, &header::IF_MATCH, current) {
        return Ok(());
    }
    let message = format!("`If-Match` does not name the newest version, which is {current}");
    Err(Problem::new(problem::VERSION_MISMATCH, message))
}

/// Whether `If-None-Match` names this version: the client has it.
pub fn is_known(headers: &HeaderMap, current: &str) -> bool {
    names(headers, &header::IF_NONE_MATCH, current)
}

fn names(headers: &HeaderMap, name: &HeaderName, current: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag == current)
}
