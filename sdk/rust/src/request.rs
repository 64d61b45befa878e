use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// What a segment of a path or a value in a query has percent-encoded: all but RFC 3986's unreserved
/// characters.
const RESERVED: percent_encoding::AsciiSet =
    percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A word as one segment of a path.
pub fn segment(word: &str) -> String {
    percent_encoding::utf8_percent_encode(word, &RESERVED).to_string()
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The body and its type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
    /// How long it may take in all. `None`: as long as it likes.
    pub timeout: Option<Duration>,
    /// Whether it may be said again when nobody knows whether the server has done it.
    pub may_repeat: bool,
}

impl Request {
    /// Asks for something.
    pub fn get(path: impl Into<String>) -> Request {
        let (method, path) = (Method::GET, path.into());
        Request { method, path, body: None, headers: Vec::new(), timeout: None, may_repeat: true }
    }

    /// Sends JSON.
    pub fn post(path: impl Into<String>, body: &Value) -> Request {
        let body = Some(("application/json", body.to_string().into_bytes()));
        Request { method: Method::POST, body, ..Request::get(path) }
    }

    /// With a time limit.
    pub(crate) fn within(self, timeout: Duration) -> Request {
        Request { timeout: Some(timeout), ..self }
    }

    /// With a key under which it counts once.
    pub(crate) fn once(mut self, key: &str) -> Result<Request, Error> {
        let is_short = (1..=256).contains(&key.len());
        if !is_short || HeaderValue::try_from(key).is_err() || !key.is_ascii() {
            let message = "an idempotency key has 1 to 256 visible ASCII characters";
            return Err(Error::Invalid(message.to_owned()));
        }
        self.headers.push((HeaderName::from_static("idempotency-key"), key.to_owned()));
        Ok(self)
    }
}

/// An answer, whatever it says.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// `Retry-After`, if it is in seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a run is to be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Execute {
    /// The input. `{}` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Searchable keys and values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the caller calls the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The same key and content give the same run for 7 days. Left out: a new one.
    #[serde(skip)]
    pub idempotency_key: Option<String>,
}

impl Execute {
    /// With an input.
    pub fn with(input: Value) -> Execute {
        Execute { input: Some(input), ..Execute::default() }
    }

    /// Under a key.
    pub fn once(self, key: impl Into<String>) -> Execute {
        Execute { idempotency_key: Some(key.into()), ..self }
    }
}
