//! The router on a directory of its own, and what no answer of it may be.

use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use windlass_server::boot::{House, Purpose, build};
use windlass_server::config::Config;
use windlass_server::http::router::router;

/// Panics of any thread: the engine's would otherwise not be noticed here.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub(crate) struct Server {
    runtime: Runtime,
    router: Router,
    _house: House,
    _directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Server {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.lock().unwrap().push(panic.to_string());
            told(panic);
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.store.data = directory.path().join("data");
        let purpose = Purpose {
            is_active: true,
            program: Some(env!("CARGO_BIN_EXE_windlass").into()),
            ..Purpose::default()
        };
        let house = runtime.block_on(async { build(config, purpose) }).unwrap();
        Server { router: router(&house.app), runtime, _house: house, _directory: directory }
    }

    /// The answer to a request; `None` if it cannot be sent at all.
    pub(crate) fn send(&self, text: &str) -> Option<(StatusCode, HeaderMap, Bytes)> {
        let request = parse(text)?;
        self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let (head, body) = response.into_parts();
            let kind = head.headers.get(header::CONTENT_TYPE);
            let is_endless = kind.is_some_and(|kind| kind == "text/event-stream");
            let bytes = match is_endless {
                true => Bytes::new(),
                false => axum::body::to_bytes(body, usize::MAX).await.unwrap(),
            };
            Some((head.status, head.headers, bytes))
        })
    }

    /// A request that must succeed. Answers its JSON.
    pub(crate) fn expect(&self, text: &str) -> Value {
        let (status, _, body) = self.send(text).unwrap();
        assert!(status.is_success(), "{text}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// What becomes of a request.
    pub(crate) fn look(&self, text: &str) -> &'static str {
        PANICS.lock().unwrap().clear();
        let Some((status, headers, body)) = self.send(text) else { return "unsendable" };
        let panics = std::mem::take(&mut *PANICS.lock().unwrap());
        assert!(panics.is_empty(), "a panic: {panics:?}");
        let shown = String::from_utf8_lossy(&body);
        assert!(!status.is_server_error(), "{status} {shown}");
        let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap());
        if kind == Some("application/json") && !text.starts_with("HEAD ") {
            serde_json::from_slice::<Value>(&body).unwrap();
        }
        if !status.is_client_error() {
            return "done";
        }
        // A person gets the problem as a page.
        if kind == Some("text/html; charset=utf-8") {
            return "refused";
        }
        // The facade of the units' first engine keeps that engine's shape.
        if kind == Some("application/json") && !text.contains(" /api/v1/") {
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            let is_said = |field: &str| answer[field].as_str().is_some_and(|said| !said.is_empty());
            assert!(text.starts_with("HEAD ") || (is_said("detail") && is_said("code")), "{shown}");
            return "refused";
        }
        assert_eq!(kind, Some("application/problem+json"), "{status} {shown}");
        if !text.starts_with("HEAD ") {
            let problem: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(problem["status"], status.as_u16(), "{problem}");
            for field in ["type", "title", "detail", "code"] {
                let text = problem[field].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "no `{field}`: {problem}");
            }
        }
        "refused"
    }
}

/// `METHOD PATH`, headers, an empty line, the body. A character from U+E000 to U+E0FF stands for one
/// byte, so that a text can say what is none.
fn parse(text: &str) -> Option<Request<Body>> {
    let (head, body) = text.split_once("\n\n")?;
    let mut lines = head.lines();
    let (method, path) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(path);
    let mut has_host = false;
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        has_host |= name == "host";
        request = request.header(name, value);
    }
    if !has_host {
        request = request.header(header::HOST, "localhost:8000");
    }
    let mut bytes = Vec::with_capacity(body.len());
    for character in body.chars() {
        match u32::from(character).checked_sub(0xe000).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(character.to_string().as_bytes()),
        }
    }
    request.body(bytes.into()).ok()
}
