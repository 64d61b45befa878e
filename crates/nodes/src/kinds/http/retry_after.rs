//! `Retry-After`: how long the other side wants to be left alone.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Nobody means more seconds than these.
const SECONDS_MAX: f64 = 1e9;

/// What an answer says: `retry-after-ms`, as some providers have it, or `Retry-After` in seconds or
/// as a date. A date is seen from the `Date` of the answer, so that it does not matter whose clock is
/// wrong.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.trim());
    let number = |text: &str| {
        let number: f64 = text.parse().ok()?;
        (0.0..=SECONDS_MAX).contains(&number).then_some(number)
    };
    if let Some(ms) = text("retry-after-ms").and_then(number) {
        return Some(Duration::from_secs_f64(ms / 1_000.0));
    }
    let said = text(RETRY_AFTER.as_str())?;
    if let Some(seconds) = number(said) {
        return Some(Duration::from_secs_f64(seconds));
    }
    let until = httpdate::parse_http_date(said).ok()?;
    let said_at = httpdate::parse_http_date(text(DATE.as_str())?).ok()?;
    // A date that has passed asks for no wait.
    Some(until.duration_since(said_at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_three_ways() {
        let ms = |ms| Some(Duration::from_millis(ms));
        for (name, value, expected) in [
            ("retry-after", "7", ms(7_000)),
            ("retry-after", " 0.5 ", ms(500)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", ms(37_000)),
            ("retry-after", "Sunday, 06-Nov-94 08:50:00 GMT", ms(60_000)),
            ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT", ms(0)),
            ("retry-after-ms", "120", ms(120)),
            ("retry-after", "-1", None),
            ("retry-after", "NaN", None),
            ("retry-after", "soon", None),
            ("x", "7", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, "Sun, 06 Nov 1994 08:49:00 GMT".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            assert_eq!(retry_after(&headers), expected, "{name}: {value}");
        }
    }
}
