//! `Prefer: wait=N` (RFC 7240): how long a client would wait for a finished answer.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use super::problem::Problem;

/// The header.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The header that says what was done about it.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client would wait, at most `most`; `None` if it does not say.
///
/// # Errors
///
/// If it is no number of seconds.
pub fn wait(headers: &HeaderMap, most: Duration) -> Result<Option<Duration>, Problem> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(',')).map(str::trim);
    let Some(wait) = preferences.find_map(|one| one.strip_prefix("wait=")) else {
        return Ok(None);
    };
    let seconds: u32 = wait
        .trim_matches('"')
        .parse()
        .map_err(|_| Problem::parameter("Prefer", "`wait` is a whole number of seconds"))?;
    Ok(Some(Duration::from_secs(seconds.into()).min(most)))
}
