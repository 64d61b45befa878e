//! Values as programs in many languages write them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::{Map, Value};
use windlass_core::limits::WAIT_MAX;
use windlass_core::{Failure, HumanDuration, Time};

use super::Rejected;
use crate::http::problem::short;

/// How far ahead of ours a clock may be.
pub(super) const AHEAD_MAX: Duration = Duration::from_secs(3_600);
/// A failure's message, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// How a program came to fail: its stack trace, in bytes.
const TRACE_BYTES_MAX: usize = 16 * 1024;

/// A text, or a number that stands for one.
///
/// # Errors
///
/// If it is something else.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Option<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a whole number")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<String>, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_string<E: de::Error>(self, text: String) -> Result<Option<String>, E> {
            Ok(Some(text))
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<String>, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<String>, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_unit<E: de::Error>(self) -> Result<Option<String>, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Text)
}

/// A time as it is sent: RFC 3339, or seconds, milliseconds or microseconds since 1970.
#[derive(Clone, Debug)]
pub enum Stamp {
    /// A number; how large it is says in which unit.
    Number(f64),
    /// A text. Without an offset it is UTC.
    Text(String),
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Stamp, D::Error> {
        struct Time;
        impl Visitor<'_> for Time {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in RFC 3339 or a number of seconds since 1970")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Stamp, E> {
                Ok(Stamp::Text(text.to_owned()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Stamp, E> {
                Ok(Stamp::Number(number))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Stamp, E> {
                Ok(Stamp::Number(number as f64))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Stamp, E> {
                Ok(Stamp::Number(number as f64))
            }
        }
        deserializer.deserialize_any(Time)
    }
}

impl Stamp {
    /// The time.
    ///
    /// # Errors
    ///
    /// If it is none, lies before 1970 or more than an hour ahead of the server's clock.
    pub fn time(&self, index: usize, now: Time) -> Result<Time, Rejected> {
        let (at, shown) = match self {
            Stamp::Number(number) => (Some(from_number(*number)), number.to_string()),
            Stamp::Text(text) => (from_text(text), format!("`{}`", short(text))),
        };
        let Some(at) = at else {
            let detail = format!("`ts` is RFC 3339 or seconds since 1970, and not {shown}");
            return Err(Rejected::new(index, "bad-value", detail));
        };
        if at.micros() < 0 || at > now.plus(AHEAD_MAX) {
            let detail = format!("`ts` is {shown}: before 1970, or over an hour ahead");
            return Err(Rejected::new(index, "time-out-of-range", detail));
        }
        Ok(at)
    }
}

fn from_number(number: f64) -> Time {
    // Seconds until the year 5138, milliseconds until the same.
    let micros = match number.abs() {
        0.0..1e11 => number * 1e6,
        1e11..1e14 => number * 1e3,
        _ => number,
    };
    Time::from_micros(micros.round() as i64)
}

fn from_text(text: &str) -> Option<Time> {
    let text = text.trim();
    Time::parse(text).or_else(|| Time::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
}

/// How long something took, in milliseconds.
///
/// # Errors
///
/// If it is no length of time.
pub fn duration(index: usize, millis: Option<f64>) -> Result<Option<HumanDuration>, Rejected> {
    let Some(millis) = millis else { return Ok(None) };
    if !(0.0..=WAIT_MAX.as_millis() as f64).contains(&millis) {
        let detail =
            format!("`duration_ms` is milliseconds, from 0 to ten years, and not {millis}");
        return Err(Rejected::new(index, "bad-value", detail));
    }
    Ok(Some(HumanDuration(Duration::from_micros((millis * 1e3).round() as u64))))
}

/// A failure: a text, or an object with a `message` and perhaps a `type` and a `traceback`.
pub fn failure(code: &'static str, error: &Value) -> Failure {
    let field = |name: &str| error.get(name).and_then(Value::as_str);
    let (message, kind) = match error {
        Value::String(text) => (text.clone(), None),
        Value::Object(_) => (
            field("message")
                .or_else(|| field("error"))
                .map_or_else(|| error.to_string(), str::to_owned),
            field("type")
                .or_else(|| field("code"))
                .filter(|kind| !kind.is_empty())
                .map(str::to_owned),
        ),
        other => (other.to_string(), None),
    };
    let names = ["traceback", "stacktrace", "stackTrace", "stack"];
    let trace = names.into_iter().find_map(field).filter(|trace| !trace.is_empty());
    let mut details = Map::new();
    details.extend(kind.map(|kind| ("type".to_owned(), kind.into())));
    details.extend(trace.map(|trace| {
        // What was called last is what people look at first.
        ("traceback".to_owned(), ending(trace, TRACE_BYTES_MAX).into())
    }));
    let failure = Failure::new(code, cut(message, MESSAGE_BYTES_MAX));
    match details.is_empty() {
        true => failure,
        false => failure.with(details.into()),
    }
}

/// As much of a text's end as has so many bytes at most, in whole lines, with a sign where it was cut.
fn ending(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let begin = (text.len() - bytes_max..text.len()).find(|begin| text.is_char_boundary(*begin));
    let rest = &text[begin.unwrap_or(text.len())..];
    let lines = rest.split_once('\n').map_or(rest, |(_, lines)| lines);
    format!("…\n{lines}")
}

/// A text of at most so many bytes, with a sign where it was cut.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(beginning(&text, bytes_max).len());
        text.push('…');
    }
    text
}

/// As much of a text as has so many bytes at most.
pub fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A name that something goes by.
///
/// # Errors
///
/// If it is empty, too long, or has control characters.
pub fn name(
    index: usize,
    field: &'static str,
    value: Option<String>,
    bytes_max: usize,
) -> Result<Option<String>, Rejected> {
    let Some(value) = value else { return Ok(None) };
    if value.len() > bytes_max {
        let detail = format!("`{field}` has {} bytes; {bytes_max} are possible", value.len());
        return Err(Rejected::new(index, "too-long", detail));
    }
    if value.trim().is_empty() || value.contains(char::is_control) {
        let detail = format!("`{field}` is empty or has control characters");
        return Err(Rejected::new(index, "bad-value", detail));
    }
    Ok(Some(value))
}
