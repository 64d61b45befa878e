use std::time::Duration;

use serde_json::Value;

/// The server, and what to show it.
pub(crate) struct Server {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

/// Why there is no answer.
pub(crate) enum Refusal {
    /// The server will not, with its code.
    Refused(String),
    /// Asking again may help.
    Unreachable(String),
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "a worker's settings are in its environment")]
    pub(crate) fn from_environment() -> Server {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The server is asked directly, whatever proxy the machine has for the rest of the world.
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(40)));
        Server {
            agent: config.build().into(),
            url: variable("WINDLASS_SERVER").unwrap_or_else(|| "http://127.0.0.1:8000".to_owned()),
            token: variable("WINDLASS_WORKER_TOKEN"),
        }
    }

    /// Sends a request. Null if there is nothing in the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let unreachable = |error: ureq::Error| Refusal::Unreachable(error.to_string());
        let mut request = self.agent.post(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).map_err(unreachable)?;
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        match answer.status().as_u16() {
            200..=299 => Ok(value),
            400..=499 => {
                Err(Refusal::Refused(value["code"].as_str().unwrap_or("refused").to_owned()))
            }
            status => Err(Refusal::Unreachable(format!("the server answered {status}"))),
        }
    }
}
