//! From a body to the texts of its items: one, a list, `{"events": […]}`, or lines.

use std::io::Read;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use serde_json::value::RawValue;

use crate::http::body::bad_json;
use crate::http::problem::{self, Problem};

/// One item, in bytes.
pub const ITEM_BYTES_MAX: usize = 1024 * 1024;
/// Items of a body. What is wrong with each may have to be said, and a small body may hold very many.
pub const ITEM_COUNT_MAX: usize = 20_000;

/// A body as it was before it was sent.
///
/// # Errors
///
/// `bad-parameter` if the encoding is none of ours or the body none of it, `body-too-large` if more
/// comes out than a body may have.
pub fn decoded(headers: &HeaderMap, body: Bytes, bytes_max: u64) -> Result<Bytes, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str());
    let encoding = encoding.map(|word| word.map(|word| word.trim().to_ascii_lowercase()));
    match encoding.as_ref().map(|word| word.as_deref()) {
        None | Some(Ok("" | "identity")) => Ok(body),
        Some(Ok("gzip" | "x-gzip")) => {
            inflate("gzip", flate2::read::MultiGzDecoder::new(&*body), bytes_max)
        }
        Some(Ok("deflate")) => {
            inflate("deflate", flate2::read::ZlibDecoder::new(&*body), bytes_max)
        }
        Some(Ok("zstd")) => {
            let decoder = zstd::stream::read::Decoder::with_buffer(&*body);
            let decoder = decoder.map_err(|error| damaged("zstd", &error))?;
            inflate("zstd", decoder, bytes_max)
        }
        Some(_) => {
            let message = "`gzip`, `zstd`, `deflate` or `identity` is possible";
            Err(Problem::parameter("Content-Encoding", message))
        }
    }
}

fn damaged(encoding: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::parameter("Content-Encoding", format!("the body is no {encoding}: {error}"))
}

/// Stops as soon as there is too much: a small body may hold a very large one.
fn inflate(encoding: &str, from: impl Read, bytes_max: u64) -> Result<Bytes, Problem> {
    let mut bytes = Vec::new();
    let read = from.take(bytes_max + 1).read_to_end(&mut bytes);
    read.map_err(|error| damaged(encoding, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        let message = "unpacked, the body is larger than the server's `server.body_bytes_max`";
        return Err(Problem::new(problem::BODY_TOO_LARGE, message));
    }
    Ok(bytes.into())
}

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
