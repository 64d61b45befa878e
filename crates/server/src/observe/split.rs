//! From a body to the texts of its items: one, a list, `{"events": […]}`, or lines.

use axum::http::{HeaderMap, header};
use serde_json::value::RawValue;

use crate::http::body::bad_json;
use crate::http::problem::{self, Problem};

/// One item, in bytes.
pub const ITEM_BYTES_MAX: usize = 1024 * 1024;
/// Items of a body. What is wrong with each may have to be said, and a small body may hold very many.
pub const ITEM_COUNT_MAX: usize = 20_000;

/// The items of a body, in order: where each stands, and its text.
///
/// # Errors
///
/// `bad-json` if the body as a whole is none, `invalid-request` if it is no form of items,
/// `body-too-large` if one item is.
pub fn items<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Vec<&'a [u8]>, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_lines = content_type
        .is_some_and(|it| ["ndjson", "jsonl", "jsonlines"].iter().any(|one| it.contains(one)));
    let trimmed = body.trim_ascii();
    let items = match trimmed.first() {
        _ if is_lines => lines(body),
        None => Vec::new(),
        Some(b'[') => list(trimmed)?,
        Some(b'{') if has_further_lines(trimmed) => lines(trimmed),
        Some(b'{') => match wrapped(trimmed)? {
            Some(items) => items,
            None => vec![trimmed],
        },
        Some(_) => {
            whole(trimmed)?;
            let message = "an event, a list of events, `{\"events\": […]}` or lines are expected";
            return Err(Problem::new(problem::INVALID_REQUEST, message));
        }
    };
    check_count(items.len())?;
    if let Some(place) = items.iter().position(|item| item.len() > ITEM_BYTES_MAX) {
        let message = format!("the item at {place} has more than {ITEM_BYTES_MAX} bytes");
        return Err(Problem::new(problem::BODY_TOO_LARGE, message));
    }
    Ok(items)
}

/// Whether a body may have so many items.
///
/// # Errors
///
/// `body-too-large`.
pub fn check_count(count: usize) -> Result<(), Problem> {
    if count <= ITEM_COUNT_MAX {
        return Ok(());
    }
    let message = format!("a body has at most {ITEM_COUNT_MAX} events: send them in parts");
    Err(Problem::new(problem::BODY_TOO_LARGE, message))
}

fn lines(body: &[u8]) -> Vec<&[u8]> {
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty()).collect()
}

/// Whether the first line is a whole value and more follows it.
fn has_further_lines(body: &[u8]) -> bool {
    let Some(end) = body.iter().position(|byte| *byte == b'\n') else { return false };
    serde_json::from_slice::<&RawValue>(&body[..end]).is_ok()
}

fn whole(body: &[u8]) -> Result<&RawValue, Problem> {
    serde_json::from_slice(body).map_err(|error| bad_json(&error))
}

fn list(body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| bad_json(&error))?;
    Ok(items.into_iter().map(|item| item.get().as_bytes()).collect())
}

/// The events of an object that has some.
fn wrapped(body: &[u8]) -> Result<Option<Vec<&[u8]>>, Problem> {
    #[derive(serde::Deserialize)]
    struct Wrapped<'a> {
        #[serde(borrow)]
        events: Option<&'a RawValue>,
    }
    let wrapped: Wrapped<'_> = serde_json::from_slice(body).map_err(|error| bad_json(&error))?;
    match wrapped.events {
        None => Ok(None),
        Some(events) if events.get().starts_with('[') => list(events.get().as_bytes()).map(Some),
        Some(_) => {
            let message = "/events: a list is expected".to_owned();
            Err(Problem::new(problem::INVALID_REQUEST, message))
        }
    }
}
