//! A server without a socket: the router on a directory of its own.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use windlass_server::boot::{House, Purpose, build};
use windlass_server::config::Config;
use windlass_server::http::router::router;

pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) house: House,
    _directory: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The problem's code; the answer must be a well-formed problem.
    pub(crate) fn problem(&self) -> String {
        let kind = self.headers[header::CONTENT_TYPE].to_str().unwrap();
        assert_eq!(kind, "application/problem+json", "{}", self.body);
        for field in ["type", "title", "status", "detail", "code"] {
            assert!(!self.body[field].is_null(), "no `{field}`: {}", self.body);
        }
        assert_eq!(self.body["status"], self.status.as_u16());
        self.body["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Server {
    pub(crate) fn new() -> Server {
        Server::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.data = directory.path().join("data");
        change(&mut config);
        Server::on(config, directory)
    }

    /// Another one on the same data, once this one has gone down.
    pub(crate) async fn restarted(self) -> Server {
        let Server { router, house, _directory: directory } = self;
        house.go_down.send_replace(true);
        house.app.engine.shut_down(Duration::from_secs(5)).await;
        let config = house.app.config.clone();
        drop((router, house));
        Server::on(config, directory)
    }

    fn on(config: Config, directory: tempfile::TempDir) -> Server {
        let purpose = Purpose {
            allows_loopback: true,
            trusts_shell: true,
            is_active: true,
            is_in_memory: false,
            program: Some(env!("CARGO_BIN_EXE_windlass").into()),
            ..Purpose::default()
        };
        let house = build(config, purpose).unwrap();
        Server { router: router(&house.app), house, _directory: directory }
    }

    /// What `windlass open` shows.
    pub(crate) fn of_file(store: windlass_store::MemoryStore) -> Server {
        let purpose = Purpose {
            file: Some(std::sync::Arc::new(store)),
            program: Some(env!("CARGO_BIN_EXE_windlass").into()),
            ..Purpose::default()
        };
        let house = build(Config::default(), purpose).unwrap();
        Server { router: router(&house.app), house, _directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        let of_units = ["/live/", "/instances/", "/uows/", "/queues/"];
        let is_endless = path == "/runs/live"
            || path == "/flows/live"
            || of_units.iter().any(|part| path.starts_with(part))
                && (path.ends_with("/live") || path.starts_with("/live/"));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        // Lists are told for ever, and so is what has no end of its own.
        if is_endless && status == StatusCode::OK {
            return Answer { status, headers, body: Value::Null };
        }
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Answer { status, headers, body }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request(method, path).body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Body::empty()).await
    }

    /// What a browser gets.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        let request = request(Method::GET, path).header(header::ACCEPT, "text/html,*/*;q=0.8");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn deploy(&self, text: &str) -> Value {
        let answer = self.ask(Method::POST, "/api/v1/workflows", text.to_owned()).await;
        assert!(answer.status.is_success(), "{}", answer.body);
        answer.body
    }

    /// Runs a workflow to its end.
    pub(crate) async fn run(&self, workflow: &str, input: Value) -> Value {
        let path = format!("/api/v1/workflows/{workflow}/execute");
        let body = json!({ "input": input }).to_string();
        let request = request(Method::POST, &path).header("prefer", "wait=20").body(body.into());
        let answer = self.send(request.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }
}

/// Asks for a run until it is at one of these statuses.
pub(crate) async fn at(server: &Server, path: &str, wanted: &[&str]) -> Value {
    let waited = async {
        loop {
            let run = server.get(path).await.body;
            if wanted.iter().any(|status| run["status"] == *status) {
                return run;
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(60), waited).await;
    ended.unwrap_or_else(|_| panic!("{path} is never {wanted:?}"))
}

pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8000")
}

/// A workflow that adds one to `n`.
pub(crate) const ADD: &str = "name: add\ninput: {type: object, properties: {n: {type: number}}, \
    required: [n]}\nnodes:\n  - {id: sum, type: noop, config: {output: '{{ input.n + 1 }}'}}\n";

/// A workflow that waits for an hour.
pub(crate) const WAIT: &str =
    "name: wait\nnodes:\n  - {id: nap, type: delay, config: {duration: 1h}}\n";

/// Ids and times differ each time and are hidden in snapshots.
pub(crate) fn redacted(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).unwrap();
    let words = text.split_inclusive(|c: char| "\"/ .".contains(c));
    let hidden = words.map(|word| {
        let (bare, end) = word.split_at(word.trim_end_matches(['"', '/', ' ', '.']).len());
        let is_id = bare.len() >= 32 && bare.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        if is_id { format!("[id]{end}") } else { word.to_owned() }
    });
    let text: String = hidden.collect();
    let mut shown = String::new();
    for line in text.lines() {
        let is_time = line.contains("_at\": \"2") || line.contains("\"at\": \"2");
        match line.split_once("\": ").filter(|_| is_time) {
            Some((name, rest)) => {
                let comma = if rest.ends_with(',') { "," } else { "" };
                shown.push_str(&format!("{name}\": \"[time]\"{comma}\n"));
            }
            None => shown.push_str(&format!("{line}\n")),
        }
    }
    shown
}

impl Server {
    /// A server that asks for keys, and the key of an admin of `default`.
    pub(crate) fn closed() -> Server {
        Server::with(|config| config.access.server_api_key = Some(ADMIN.into()))
    }

    pub(crate) async fn ask_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = request(method, path).header("authorization", format!("Bearer {key}"));
        self.send(request.body(body.into()).unwrap()).await
    }

    /// What a browser gets that shows a key.
    pub(crate) async fn page_as(&self, key: &str, path: &str) -> Answer {
        let request = request(Method::GET, path)
            .header(header::ACCEPT, "text/html")
            .header("authorization", format!("Bearer {key}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, key: &str, path: &str) -> Answer {
        self.ask_as(key, Method::GET, path, Body::empty()).await
    }

    /// Makes a key; its answer.
    pub(crate) async fn key(&self, request: Value) -> Value {
        let answer = self.ask_as(ADMIN, Method::POST, "/api/v1/keys", request.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }
}

/// The key in the settings of [`Server::closed`].
pub(crate) const ADMIN: &str = "the key of the settings";
