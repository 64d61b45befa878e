use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::patience::Patience;
use crate::{Answer, Error, Execute, Problem, Request, Run, RunHandle, Workflow, segment};

/// Where a server is if nobody says otherwise.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8000";
/// How long a server may take to be reached.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a request may take that says nothing else.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How often a request is said again.
const RETRIES: u32 = 5;

/// Asks a server. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    server: Arc<str>,
    http: reqwest::Client,
    key: Option<Key>,
    retries: u32,
}

/// What is shown to the server and to nobody else.
#[derive(Clone)]
struct Key(Arc<str>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Client {
    /// For a server, such as `http://127.0.0.1:8000`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if that is no address.
    pub fn new(server: &str) -> Result<Client, Error> {
        // The first provider stays; that it is set already is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = server.trim_end_matches('/');
        let invalid = |why: String| Error::Invalid(format!("`{server}` is not a URL: {why}"));
        let url = reqwest::Url::parse(server).map_err(|error| invalid(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid("it begins with neither http:// nor https://".to_owned()));
        }
        // The server is asked directly, whatever proxy the machine has for the rest of the world.
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIME_MAX).no_proxy().build();
        let http = http.map_err(|error| Error::Invalid(last_cause(&error)))?;
        Ok(Client { server: Arc::from(server), http, key: None, retries: RETRIES })
    }

    /// For the server that `WINDLASS_SERVER` names, showing `WINDLASS_API_KEY` or, as a worker that
    /// the server has started itself, `WINDLASS_WORKER_TOKEN`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if that is no address.
    #[expect(clippy::disallowed_methods, reason = "a program's settings are in its environment")]
    pub fn from_env() -> Result<Client, Error> {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let server = variable("WINDLASS_SERVER");
        let client = Client::new(server.as_deref().unwrap_or(DEFAULT_SERVER))?;
        let key = variable("WINDLASS_API_KEY").or_else(|| variable("WINDLASS_WORKER_TOKEN"));
        Ok(client.with_key(key.as_deref()))
    }

    /// The same, showing a key.
    pub fn with_key(self, key: Option<&str>) -> Client {
        Client { key: key.map(|key| Key(Arc::from(key))), ..self }
    }

    /// The same, saying a request again up to so many times while the server cannot be reached or
    /// says 503. 5 if left out.
    pub fn with_retries(self, retries: u32) -> Client {
        Client { retries, ..self }
    }

    /// Whom it asks.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Deploys a definition, in YAML or JSON.
    ///
    /// # Errors
    ///
    /// If the server refuses it or cannot be reached.
    pub async fn deploy(&self, source: &str) -> Result<Workflow, Error> {
        let mut request = Request::post("/api/v1/workflows", &Value::Null);
        // JSON is read as YAML, too.
        request.body = Some(("application/yaml", source.as_bytes().to_vec()));
        self.fetch(request).await
    }

    /// Runs a workflow's newest version. When this returns, the run is durable.
    ///
    /// # Errors
    ///
    /// If the server refuses it or cannot be reached.
    pub async fn execute(&self, workflow: &str, execute: Execute) -> Result<RunHandle, Error> {
        let new = || uuid::Uuid::now_v7().to_string();
        let key = execute.idempotency_key.clone().unwrap_or_else(new);
        let body = serde_json::to_value(&execute).map_err(|e| Error::Invalid(e.to_string()))?;
        let path = format!("/api/v1/workflows/{}/execute", segment(workflow));
        let run: Run = self.fetch(Request::post(path, &body).once(&key)?).await?;
        Ok(self.run(run.id))
    }

    /// A run that is there already, by its id or external id. Asks nothing yet.
    pub fn run(&self, id: impl Into<String>) -> RunHandle {
        RunHandle::new(self.clone(), id.into())
    }

    /// Asks once, and answers with whatever comes back.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] if nothing comes back.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let response = self.begin(request).await?;
        let (status, retry_after) = (response.status(), retry_after(&response));
        let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
        Ok(Answer { status, retry_after, body: body.to_vec() })
    }

    /// Asks, again if that may help, and reads the answer.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let path = request.path.clone();
        let body = self.fetch_bytes(request).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::Nonsense(format!("{path}: the answer makes no sense: {error}")))
    }

    /// Asks, again if that may help.
    pub(crate) async fn fetch_bytes(&self, request: Request) -> Result<Vec<u8>, Error> {
        let request = Request { timeout: request.timeout.or(Some(TIME_MAX)), ..request };
        let mut patience = Patience::new(self.retries);
        loop {
            let error = match self.send(request.clone()).await {
                Ok(answer) if answer.status.is_success() => return Ok(answer.body),
                Ok(Answer { status, retry_after, body }) => {
                    Error::Refused(Box::new(Problem::read(status, retry_after, &body)))
                }
                Err(error) => error,
            };
            match patience.after(&error, request.may_repeat) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Asks, and answers when the head of an answer is there.
    pub(crate) async fn begin(&self, request: Request) -> Result<reqwest::Response, Error> {
        let Request { method, path, body, headers, timeout, .. } = request;
        let mut builder = self.http.request(method, format!("{}{path}", self.server));
        if let Some((kind, body)) = body {
            builder = builder.header(header::CONTENT_TYPE, kind).body(body);
        }
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some(Key(key)) = &self.key {
            builder = builder.bearer_auth(key);
        }
        if let Some(timeout) = timeout {
            builder = builder.timeout(timeout);
        }
        builder.send().await.map_err(|error| self.unreachable(&error))
    }

    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        if error.is_builder() {
            return Error::Invalid(last_cause(error));
        }
        Error::Unreachable {
            server: self.server.to_string(),
            cause: last_cause(error),
            may_be_sent: !error.is_connect(),
        }
    }
}

/// What `Retry-After` says, in seconds.
pub(crate) fn retry_after(response: &reqwest::Response) -> Option<u64> {
    response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// What lies under an error: what is above it only says that something was asked.
fn last_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}
