//! One request and its response.

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::{Map, Value, json};
use windlass_core::limits::PAYLOAD_BYTES_MAX;
use windlass_core::run::AttemptError;

use super::Http;
use super::client::blocked;
use super::retry_after::retry_after;
use crate::context::{NodeContext, StopReason};
use crate::node::{fail, retry};

/// The largest body that still fits the journal together with the headers.
const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX - 64 * 1024;

pub(super) async fn run(http: Http, context: &NodeContext) -> Result<Value, AttemptError> {
    let request = build(&http, context)?;
    let exchange = async {
        let response = request.send().await.map_err(|error| send_error(&error))?;
        let (status, headers) = (response.status().as_u16(), headers_of(&response));
        let wait = retry_after(response.headers());
        let body = read_body(response).await?;
        let output = json!({ "status": status, "headers": headers, "body": body });
        Ok::<_, AttemptError>((output, wait))
    };
    let limit = http.timeout.0;
    let (output, wait) = tokio::time::timeout(limit, exchange)
        .await
        .map_err(|_| retry("timeout", format!("no complete answer within {}", http.timeout)))??;
    let status =
        output["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
    if status < 400 || http.accept_status.contains(&status) {
        return Ok(output);
    }
    let message = format!("the answer was status {status}");
    let is_worth_it = matches!(status, 408 | 425 | 429) || status >= 500;
    let code = format!("http_{status}");
    let mut error = if is_worth_it { retry(&code, message) } else { fail(&code, message) };
    error.failure.details = Some(output);
    error.retry_after = wait;
    Err(error)
}

pub(crate) fn stopped(reason: StopReason) -> AttemptError {
    match reason {
        StopReason::TimedOut => retry("timeout", "the time was up before there was an answer"),
        StopReason::Cancelled => fail("cancelled", "it was cancelled"),
        StopReason::ShuttingDown => fail("interrupted", "the server went down"),
    }
}

pub(crate) fn parse_url(text: &str) -> Result<Url, AttemptError> {
    let url = Url::parse(text)
        .map_err(|error| fail("bad_config", format!("`{text}` is not a URL: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(fail("bad_config", format!("`{other}` is not http or https"))),
    }
}

fn build(http: &Http, context: &NodeContext) -> Result<RequestBuilder, AttemptError> {
    let method = Method::from_bytes(http.method.as_bytes())
        .map_err(|_| fail("bad_config", format!("`{}` is not a method", http.method)))?;
    let mut url = parse_url(&http.url)?;
    context.http.check(&url).map_err(|blocked| fail("blocked_address", blocked.to_string()))?;
    if !http.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &http.query {
            match value {
                Value::Array(values) => {
                    pairs.extend_pairs(values.iter().map(|value| (name, text(value))));
                }
                value => {
                    pairs.append_pair(name, &text(value));
                }
            }
        }
    }
    let mut headers = HeaderMap::new();
    headers.insert("idempotency-key", header_value("idempotency-key", &context.idempotency_key())?);
    for (name, value) in &http.headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| fail("bad_config", format!("`{name}` is not a header's name")))?;
        headers.insert(header, header_value(name, &text(value))?);
    }
    let request = context.http.inner.request(method, url);
    with_body(request, http.body.as_ref(), headers)
}

fn with_body(
    request: RequestBuilder,
    body: Option<&Value>,
    mut headers: HeaderMap,
) -> Result<RequestBuilder, AttemptError> {
    let Some(body) = body else { return Ok(request.headers(headers)) };
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form =
        content_type.is_some_and(|of| of.starts_with("application/x-www-form-urlencoded"));
    let (bytes, default_type) = match body {
        Value::Object(fields) if is_form => {
            let mut url = Url::parse("http://form/")
                .map_err(|_| fail("bad_config", "the form cannot be written"))?;
            url.query_pairs_mut().extend_pairs(fields.iter().map(|(k, v)| (k, text(v))));
            (url.query().unwrap_or("").to_owned(), "application/x-www-form-urlencoded")
        }
        Value::String(body) => (body.clone(), "text/plain; charset=utf-8"),
        other => (other.to_string(), "application/json"),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(default_type));
    Ok(request.headers(headers).body(bytes))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, AttemptError> {
    // The value may be a secret, so the message does not show it.
    HeaderValue::from_str(value)
        .map_err(|_| fail("bad_config", format!("the value of `{name}` cannot be in a header")))
}

fn headers_of(response: &Response) -> Value {
    let mut headers = Map::new();
    for (name, value) in response.headers() {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match headers.get_mut(name.as_str()) {
            Some(Value::String(earlier)) => {
                earlier.push_str(", ");
                earlier.push_str(&text);
            }
            _ => drop(headers.insert(name.as_str().to_owned(), Value::String(text))),
        }
    }
    Value::Object(headers)
}

async fn read_body(mut response: Response) -> Result<Value, AttemptError> {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = content_type.is_some_and(|of| {
        let of = of.split(';').next().unwrap_or("").trim();
        of == "application/json" || of.ends_with("+json")
    });
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| send_error(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > BODY_BYTES_MAX {
            let message = format!("the answer has more than {BODY_BYTES_MAX} bytes");
            return Err(fail("response_too_large", message));
        }
    }
    if is_json && let Ok(value) = serde_json::from_slice(&bytes) {
        return Ok(value);
    }
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

fn send_error(error: &reqwest::Error) -> AttemptError {
    if let Some(blocked) = blocked(error) {
        return fail("blocked_address", blocked.to_string());
    }
    let mut reason = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        reason = error.to_string();
        source = error.source();
    }
    // The URL is left out: it may hold a secret.
    match () {
        () if error.is_timeout() => retry("timeout", "no connection in time"),
        () if error.is_redirect() => {
            fail("redirect", format!("a redirect was not followed: {reason}"))
        }
        () if error.is_connect() => retry("connect", format!("cannot connect: {reason}")),
        () => retry("exchange", format!("the exchange broke off: {reason}")),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
