//! Why there is no answer, from what the provider or the way there said.

use std::time::Duration;

use genai::Error;
use genai::webc::StreamTimeout;
use serde_json::{Value, json};
use windlass_core::run::AttemptError;

use super::meter::{OverBudget, Refusal};
use crate::kinds::http::{blocked, retry_after};
use crate::node::{fail, retry};

/// How much of a provider's own words is kept.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// Why a model has not answered. One variant for each thing to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LlmError {
    /// The provider answered with an error.
    #[error("the provider answered with status {status}: {message}")]
    Status {
        /// Its status.
        status: u16,
        /// Its words.
        message: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The conversation is longer than the model's window.
    #[error("the conversation is too long for the model: {0}")]
    ContextTooLong(String),
    /// The provider does not have it, or nobody knows whose it is.
    #[error("{0}")]
    UnknownModel(String),
    /// The settings have no such provider.
    #[error("there is no provider `{0}`; `llm.providers` names them")]
    UnknownProvider(String),
    /// There is no key.
    #[error("there is no key for `{0}`: set `llm.providers.{0}.api_key` or `api_key` on the node")]
    KeyMissing(String),
    /// The model, or a filter before or behind it, will not answer this.
    #[error("the model refused to answer: {0}")]
    Refused(String),
    /// The answer is larger than anything that could be kept.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The address may not be asked.
    #[error("{0}")]
    Blocked(String),
    /// There was no complete answer in time.
    #[error("no complete answer in time")]
    Timeout,
    /// There is no connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The exchange broke off.
    #[error("the exchange broke off: {0}")]
    Exchange(String),
    /// The request cannot be made as it is.
    #[error("{0}")]
    BadConfig(String),
    /// It would take more than a budget has left.
    #[error("{}", .0.message)]
    OverBudget(OverBudget),
    /// It cannot be counted.
    #[error("{}", .0.failure.message)]
    Uncounted(AttemptError),
}

impl From<Refusal> for LlmError {
    fn from(refusal: Refusal) -> LlmError {
        match refusal {
            Refusal::OverBudget(over) => LlmError::OverBudget(over),
            Refusal::Failed(error) => LlmError::Uncounted(error),
        }
    }
}

impl LlmError {
    /// The stable word for it. Where the kind `http` has one, it is the same.
    pub fn code(&self) -> String {
        let code = match self {
            LlmError::Status { status, .. } => return format!("http_{status}"),
            LlmError::ContextTooLong(_) => "context_too_long",
            LlmError::UnknownModel(_) => "unknown_model",
            LlmError::UnknownProvider(_) => "unknown_provider",
            LlmError::KeyMissing(_) => "llm_key_missing",
            LlmError::Refused(_) => "llm_refused",
            LlmError::TooLarge(_) => "response_too_large",
            LlmError::Blocked(_) => "blocked_address",
            LlmError::Timeout => "timeout",
            LlmError::Connect(_) => "connect",
            LlmError::Exchange(_) => "exchange",
            LlmError::BadConfig(_) => "bad_config",
            LlmError::OverBudget(_) => "budget_spent",
            LlmError::Uncounted(error) => return error.failure.code.clone(),
        };
        code.to_owned()
    }

    /// Whether asking the same again may help.
    pub fn is_worth_it(&self) -> bool {
        match self {
            LlmError::Status { status, .. } => matches!(status, 408 | 425 | 429) || *status >= 500,
            LlmError::Timeout | LlmError::Connect(_) | LlmError::Exchange(_) => true,
            _ => false,
        }
    }

    /// How long the provider wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            LlmError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the provider has turned the request down, or never had it: it took nothing then.
    pub(super) fn took_nothing(&self) -> bool {
        !matches!(self, LlmError::Timeout | LlmError::Exchange(_) | LlmError::TooLarge(_))
    }

    /// The end of an attempt.
    pub fn into_attempt(self) -> AttemptError {
        if let LlmError::Uncounted(error) = self {
            return error;
        }
        let made = if self.is_worth_it() { retry } else { fail };
        let mut error = made(&self.code(), self.to_string());
        error.retry_after = self.retry_after();
        if let Some(wait) = self.retry_after() {
            error.failure.details = Some(json!({ "retry_after_ms": wait.as_millis() as u64 }));
        }
        error
    }

    /// What the client says, in our words.
    pub(super) fn from_client(error: Error) -> LlmError {
        match error {
            Error::WebStream { error, .. } => match error.downcast::<Error>() {
                Ok(error) => LlmError::from_client(*error),
                Err(error) => of_transport(error.as_ref()),
            },
            Error::HttpError { status, body, headers, .. } => {
                of_status(status.as_u16(), &body, retry_after(&headers))
            }
            Error::ChatResponse { body, .. } => of_event(&body),
            Error::StreamParse { serde_error, .. } => {
                LlmError::Exchange(format!("the provider sent no JSON: {serde_error}"))
            }
            other => LlmError::BadConfig(cut(&other.to_string())),
        }
    }

    /// The same without `secret`, should somebody have repeated it.
    pub(super) fn without(mut self, secret: &str) -> LlmError {
        if let LlmError::Status { message: text, .. }
        | LlmError::ContextTooLong(text)
        | LlmError::UnknownModel(text)
        | LlmError::Refused(text)
        | LlmError::Exchange(text)
        | LlmError::BadConfig(text) = &mut self
        {
            *text = text.replace(secret, "***");
        }
        self
    }
}

fn of_transport(error: &(dyn std::error::Error + Send + Sync + 'static)) -> LlmError {
    if error.is::<StreamTimeout>() {
        return LlmError::Timeout;
    }
    let Some(error) = error.downcast_ref::<reqwest::Error>() else {
        return LlmError::Exchange(cut(&error.to_string()));
    };
    if let Some(blocked) = blocked(error) {
        return LlmError::Blocked(blocked.to_string());
    }
    // The innermost reason says most, and leaves out the URL.
    let mut reason = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        reason = error.to_string();
        source = error.source();
    }
    match () {
        () if error.is_timeout() => LlmError::Timeout,
        () if error.is_connect() => LlmError::Connect(reason),
        () if error.is_builder() => {
            LlmError::BadConfig(format!("no request can be made: {reason}"))
        }
        () => LlmError::Exchange(reason),
    }
}

/// An error that came in the middle of an answer, where there is no status any more.
fn of_event(body: &Value) -> LlmError {
    let error = body.get("error").unwrap_or(body);
    let code = match error.get("code") {
        Some(Value::String(code)) => code.parse().ok(),
        Some(code) => code.as_u64(),
        None => None,
    };
    let status = match error.get("type").and_then(Value::as_str) {
        Some("overloaded_error") => Some(529),
        Some("rate_limit_error") => Some(429),
        Some("api_error" | "server_error" | "internal_server_error") => Some(500),
        _ => {
            code.filter(|code| (400..600).contains(code)).and_then(|code| u16::try_from(code).ok())
        }
    };
    match status {
        Some(status) => of_status(status, &body.to_string(), None),
        None => LlmError::Exchange(message_of(&body.to_string())),
    }
}

fn of_status(status: u16, body: &str, retry_after: Option<Duration>) -> LlmError {
    let message = message_of(body);
    let says = |words: &[&str]| {
        let body = body.to_lowercase();
        words.iter().any(|word| body.contains(word))
    };
    match status {
        400 | 413 | 422 if says(&TOO_LONG) => LlmError::ContextTooLong(message),
        400 | 404 if says(&NO_MODEL) => LlmError::UnknownModel(message),
        404 => LlmError::UnknownModel(format!("the provider has no such model: {message}")),
        400 | 403 if says(&REFUSED) => LlmError::Refused(message),
        _ => LlmError::Status { status, message, retry_after },
    }
}

/// How providers say that a conversation is too long; there is no status for it.
const TOO_LONG: [&str; 6] = [
    "context_length_exceeded",
    "contextwindowexceeded",
    "maximum context length",
    "prompt is too long",
    "exceeds the maximum number of tokens",
    "exceed context limit",
];
const NO_MODEL: [&str; 4] = [
    "model_not_found",
    "invalid model name",
    "is not a valid model",
    "is not found for api version",
];
const REFUSED: [&str; 3] =
    ["content_filter", "content_policy_violation", "content management policy"];

/// The sentence in a provider's error, or the error as it is.
fn message_of(body: &str) -> String {
    let parsed = serde_json::from_str::<Value>(body).ok();
    let message = parsed.as_ref().and_then(|body| {
        let body = if let Value::Array(list) = body { list.first()? } else { body };
        let error = body.get("error").unwrap_or(body);
        error.get("message").unwrap_or(error).as_str()
    });
    cut(message.unwrap_or(body))
}

fn cut(text: &str) -> String {
    let text = text.trim();
    if text.len() <= MESSAGE_BYTES_MAX {
        return text.to_owned();
    }
    let end = (0..=MESSAGE_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_say_the_same_in_many_ways() {
        let table = [
            (
                400,
                r#"{"error":{"message":"m","code":"context_length_exceeded"}}"#,
                "context_too_long",
            ),
            (400, r#"{"error":{"message":"prompt is too long: 9 > 8"}}"#, "context_too_long"),
            (404, r#"{"error":{"message":"m","code":"model_not_found"}}"#, "unknown_model"),
            (404, "not here", "unknown_model"),
            (400, r#"{"error":{"message":"m","code":"content_filter"}}"#, "llm_refused"),
            (400, r#"[{"error":{"message":"m"}}]"#, "http_400"),
            (401, r#"{"error":{"message":"m"}}"#, "http_401"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
                "http_529",
            ),
        ];
        for (status, body, code) in table {
            let error = of_status(status, body, None);
            assert_eq!(error.code(), code, "{status} {body}");
            assert_eq!(error.is_worth_it(), status == 529, "{status} {body}");
        }
        let event = json!({ "type": "overloaded_error", "message": "m" });
        assert_eq!(of_event(&event).to_string(), "the provider answered with status 529: m");
        assert_eq!(of_event(&json!({ "message": "m", "code": "429" })).code(), "http_429");
        assert_eq!(of_event(&json!({ "message": "m" })), LlmError::Exchange("m".into()));
    }

    #[test]
    fn what_a_provider_says_is_cut_and_keeps_no_key() {
        let error = of_status(401, r#"{"error":{"message":"bad key sk-1"}}"#, None);
        assert!(error.without("sk-1").to_string().ends_with("bad key ***"));
        let long = of_status(500, &"é".repeat(5_000), None).to_string();
        assert!(long.len() < MESSAGE_BYTES_MAX + 100 && long.ends_with('…'));
    }
}
