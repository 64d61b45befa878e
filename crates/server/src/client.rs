//! Asking a server: one elsewhere, or the router in this process if none is running.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Method, Request, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

use crate::access::{Caller, Principal};
use crate::boot::House;
use crate::config::Secret;
use crate::http::problem::ProblemBody;

/// The largest answer that is read whole, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a server may take to be reached.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// Somebody to ask.
#[derive(Debug)]
pub enum Client {
    /// A server.
    Remote {
        /// Its address, such as `http://127.0.0.1:8000`.
        base: String,
        /// The connection pool.
        http: reqwest::Client,
        /// The key to show.
        key: Option<Secret>,
    },
    /// The router of this process.
    Here {
        /// The router.
        router: Router,
        /// Everything behind it.
        house: Arc<House>,
    },
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, if it is JSON; else its text.
    pub body: Value,
}

/// A server's refusal.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.0))]
pub struct Refusal(pub ProblemBody);

/// A refusal in words: what, and what exactly in every place.
fn describe(problem: &ProblemBody) -> String {
    // Where the detail says it all, the title need not say it before.
    let is_repeated = problem.detail.to_lowercase().starts_with(&problem.title.to_lowercase());
    let mut text = match is_repeated {
        true => problem.detail.clone(),
        false => format!("{}: {}", problem.title, problem.detail),
    };
    // One error is usually all that the detail says already.
    let is_said = problem.errors.len() == 1 && problem.detail.contains(&problem.errors[0].message);
    for error in &problem.errors {
        let place = match (error.line, error.column) {
            (Some(line), Some(column)) => format!("{line}:{column}: "),
            _ if error.path.is_empty() => String::new(),
            _ => format!("{}: ", error.path),
        };
        if !is_said || error.line.is_some() {
            text.push_str(&format!("\n  {place}{}", error.message));
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("\n      hint: {hint}"));
        }
    }
    text
}

/// A question.
#[derive(Debug)]
pub struct Question<'a> {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    /// The body and its type.
    pub body: Option<(&'static str, Vec<u8>)>,
    /// Further headers.
    pub headers: Vec<(HeaderName, String)>,
}

impl<'a> Question<'a> {
    /// Asks for something.
    pub fn get(path: &'a str) -> Question<'a> {
        Question { method: Method::GET, path, body: None, headers: Vec::new() }
    }

    /// Sends JSON.
    pub fn post(path: &'a str, body: &Value) -> Question<'a> {
        let body = Some(("application/json", body.to_string().into_bytes()));
        Question { method: Method::POST, path, body, headers: Vec::new() }
    }
}

impl Client {
    /// Somebody elsewhere.
    ///
    /// # Errors
    ///
    /// If the address makes no sense.
    pub fn remote(base: &str) -> anyhow::Result<Client> {
        install_tls();
        let base = base.trim_end_matches('/').to_owned();
        reqwest::Url::parse(&base).with_context(|| format!("`{base}` is not a URL"))?;
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIME_MAX).no_proxy().build();
        Ok(Client::Remote { base, http: http?, key: None })
    }

    /// The same, showing a key.
    pub fn with_key(mut self, shown: Option<Secret>) -> Client {
        if let Client::Remote { key, .. } = &mut self {
            *key = shown;
        }
        self
    }

    /// Asks, and answers with whatever comes back.
    ///
    /// # Errors
    ///
    /// If nothing comes back.
    pub async fn ask(&self, question: Question<'_>) -> anyhow::Result<Answer> {
        let (status, bytes) = match self {
            Client::Remote { base, http, key } => {
                let url = format!("{base}{}", question.path);
                let mut request = http.request(question.method, url);
                if let Some((kind, body)) = question.body {
                    request = request.header(header::CONTENT_TYPE, kind).body(body);
                }
                for (name, value) in question.headers {
                    request = request.header(name, value);
                }
                if let Some(key) = key {
                    request = request.bearer_auth(key.reveal());
                }
                let unreachable = |error| anyhow!("cannot reach {base}: {}", last_cause(&error));
                let response = request.send().await.map_err(unreachable)?;
                (response.status(), response.bytes().await?)
            }
            Client::Here { router, .. } => {
                let mut request = Request::builder()
                    .method(question.method)
                    .uri(question.path)
                    .header(header::HOST, "localhost");
                for (name, value) in question.headers {
                    request = request.header(name, value);
                }
                let body = match question.body {
                    Some((kind, body)) => {
                        request = request.header(header::CONTENT_TYPE, kind);
                        Body::from(body)
                    }
                    None => Body::empty(),
                };
                // Who can open the directory needs no key to it.
                let owner = Caller::new(Principal::local());
                let request = request.extension(owner).body(body)?;
                let Ok(response) = router.clone().oneshot(request).await;
                let status = response.status();
                (status, axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await?)
            }
        };
        let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Answer { status, body })
    }

    /// Asks, and answers with the body if all went well.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the server refuses.
    pub async fn expect(&self, question: Question<'_>) -> anyhow::Result<Value> {
        let answer = self.ask(question).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        match serde_json::from_value::<ProblemBody>(answer.body) {
            Ok(problem) => Err(Refusal(problem).into()),
            Err(_) => Err(anyhow!("the server answered {}", answer.status)),
        }
    }
}

/// What lies under an error: what is above it only says that something was asked.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// Chooses the TLS of this process. That it is chosen already is fine.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What a segment of a path or a value in a query has percent-encoded: all but RFC 3986's unreserved
/// characters.
const RESERVED: percent_encoding::AsciiSet =
    percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A word as one segment of a path.
pub fn segment(word: &str) -> String {
    percent_encoding::utf8_percent_encode(word, &RESERVED).to_string()
}
