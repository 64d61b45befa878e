//! `http`: a request to elsewhere.

mod addresses;
mod client;
mod exchange;
mod retry_after;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::expr::Type;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;

pub use addresses::AllowList;
pub use client::HttpClient;
pub(crate) use client::{Blocked, blocked};
pub(crate) use exchange::{parse_url, stopped};
pub(crate) use retry_after::retry_after;

use crate::context::NodeContext;
use crate::node::Node;

/// Sends an HTTP request. The output is `{"status": 200, "headers": {…}, "body": …}`, with a JSON
/// body parsed and any other body as text.
///
/// A status of 400 or more fails the step with a code such as `http_404`; 408, 425, 429 and 5xx are
/// worth another attempt if the node has `retry`, not before the time that `Retry-After` of the
/// answer says. Every request carries an `Idempotency-Key` that
/// is the same for every attempt of the step.
///
/// Addresses that are private, link-local, loopback or reserved are refused unless the server's
/// configuration allows them, whatever name or redirect leads there.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The method.
    #[serde(default = "get")]
    method: String,
    /// Where to: an `http` or `https` URL.
    url: String,
    /// Headers. What is no text is given as JSON.
    #[serde(default)]
    headers: Map<String, Value>,
    /// Added to the URL's query. What is no text is given as JSON; a list stands for several values.
    #[serde(default)]
    query: Map<String, Value>,
    /// The body. A text is sent as it is, anything else as JSON; an object as a form if the
    /// `Content-Type` header says `application/x-www-form-urlencoded`.
    #[serde(default)]
    body: Option<Value>,
    /// How long the whole exchange may take.
    #[serde(default = "half_a_minute")]
    timeout: HumanDuration,
    /// Statuses of 400 or more that do not fail the step, such as `[404]`.
    #[serde(default)]
    accept_status: Vec<u16>,
}

fn get() -> String {
    "GET".to_owned()
}

fn half_a_minute() -> HumanDuration {
    HumanDuration(std::time::Duration::from_secs(30))
}

impl NodeConfig for Http {
    const KIND: &'static str = "http";
    const SUMMARY: &'static str = "Sends an HTTP request";
    const EXAMPLE: &'static str = include_str!("../examples/http.yaml");

    fn check(&self) -> Result<(), Complaint> {
        let is_template = |text: &str| text.contains("{{");
        if !is_template(&self.method)
            && reqwest::Method::from_bytes(self.method.as_bytes()).is_err()
        {
            return Err(Complaint::at("/method", format!("`{}` is not a method", self.method)));
        }
        if !is_template(&self.url) && parse_url(&self.url).is_err() {
            let message = format!("`{}` is not an `http` or `https` URL", self.url);
            return Err(Complaint::at("/url", message));
        }
        Ok(())
    }

    fn output(_: &Value) -> Type {
        Type::closed([("status", Type::Number), ("headers", Type::object()), ("body", Type::Any)])
    }
}

#[async_trait]
impl Node for Http {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
        let mut stop = context.stop.clone();
        tokio::select! {
            result = exchange::run(self, &context) => result,
            reason = stop.asked() => Err(stopped(reason)),
        }
    }
}
