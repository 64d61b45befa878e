//! Asking a server: one elsewhere, or the router in this process if none is running.

use std::sync::Arc;

use anyhow::anyhow;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, Method, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;
use windlass_client::Request;
pub use windlass_client::segment;

use crate::access::{Caller, Principal};
use crate::boot::House;
use crate::config::Secret;
use crate::http::problem::{ErrorItem, ProblemBody};

/// The largest answer that is read whole, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Somebody to ask.
#[derive(Debug)]
pub enum Client {
    /// A server.
    Remote(windlass_client::Client),
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

/// What the client of others says, as this one says it.
pub fn refusal(error: windlass_client::Error) -> anyhow::Error {
    let problem = match error {
        windlass_client::Error::Refused(problem) => *problem,
        other => return other.into(),
    };
    let item = |item: windlass_client::ErrorItem| ErrorItem {
        path: item.path,
        message: item.message,
        hint: item.hint,
        code: item.code,
        line: item.line,
        column: item.column,
    };
    let errors = problem.errors.into_iter().map(item).collect();
    let windlass_client::Problem { type_, title, status, detail, code, .. } = problem;
    Refusal(ProblemBody { type_, title, status, detail, code, errors }).into()
}

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
        Ok(Client::Remote(windlass_client::Client::new(base)?))
    }

    /// The same, showing a key.
    pub fn with_key(self, key: Option<Secret>) -> Client {
        match self {
            Client::Remote(client) => {
                Client::Remote(client.with_key(key.as_ref().map(Secret::reveal)))
            }
            here @ Client::Here { .. } => here,
        }
    }

    /// Asks, and answers with whatever comes back.
    ///
    /// # Errors
    ///
    /// If nothing comes back.
    pub async fn ask(&self, question: Question<'_>) -> anyhow::Result<Answer> {
        let (status, bytes) = match self {
            Client::Remote(client) => {
                let Question { method, path, body, headers } = question;
                let request = Request { method, body, headers, ..Request::get(path) };
                let answer = client.send(request).await?;
                (answer.status, answer.body.into())
            }
            Client::Here { router, .. } => {
                let mut request = axum::http::Request::builder()
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

/// Chooses the TLS of this process. That it is chosen already is fine.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
