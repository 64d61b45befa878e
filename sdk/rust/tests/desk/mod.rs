//! A server that hands out what it is given, and writes down what it hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

/// What is heard of what was refused with 503.
pub(crate) const AWAY: &str = "away";
/// No test waits longer.
const WITHIN: Duration = Duration::from_secs(20);

/// The server, seen from the test.
pub(crate) struct Desk {
    /// Its address.
    pub(crate) url: String,
    tasks: mpsc::UnboundedSender<Value>,
    heard: mpsc::UnboundedReceiver<(String, Value)>,
    is_away: Arc<AtomicBool>,
}

struct Inside {
    tasks: Mutex<mpsc::UnboundedReceiver<Value>>,
    heard: mpsc::UnboundedSender<(String, Value)>,
    is_away: Arc<AtomicBool>,
}

impl Desk {
    /// Opens it.
    pub(crate) async fn open() -> Desk {
        let (tasks, out) = mpsc::unbounded_channel();
        let (into, heard) = mpsc::unbounded_channel();
        let is_away = Arc::new(AtomicBool::new(false));
        let inside = Inside { tasks: Mutex::new(out), heard: into, is_away: is_away.clone() };
        let router = Router::new()
            .route("/api/v1/tasks/poll", post(poll))
            .route("/api/v1/tasks/{id}/{verb}", post(hear))
            .with_state(Arc::new(inside));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Desk { url, tasks, heard, is_away }
    }

    /// Hands a task out, with these fields besides what every task has.
    pub(crate) fn hand_out(&self, more: Value) {
        let mut task = json!({
            "id": "0198c5a8-5b2e-7c10-8d4f-00000000000a", "fence": 7, "kind": "worker",
            "queue": "gpu", "config": null, "project": "default",
            "run_id": "0198c5a8-5b2e-7c10-8d4f-00000000000b", "step": "one", "attempt": 1,
            "idempotency_key": "b/one", "lease": "1s", "lease_until": "2026-03-01T12:00:00Z",
            "timeout": null, "deadline": null,
        });
        for (name, value) in more.as_object().unwrap() {
            task[name] = value.clone();
        }
        self.tasks.send(task).unwrap();
    }

    /// The next thing of this kind that is said.
    pub(crate) async fn next(&mut self, wanted: &str) -> Value {
        loop {
            let next = timeout(WITHIN, self.heard.recv()).await;
            let (verb, body) = next.unwrap_or_else(|_| panic!("no `{wanted}` is said")).unwrap();
            if verb == wanted {
                return body;
            }
        }
    }

    /// All that was said and not looked at.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).map(|(verb, _)| verb).collect()
    }

    /// From now on it answers nothing but 503, or does again.
    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }
}

async fn poll(
    State(inside): State<Arc<Inside>>,
    Json(question): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let _ = inside.heard.send(("poll".to_owned(), question));
    let mut tasks = inside.tasks.lock().await;
    match timeout(Duration::from_millis(100), tasks.recv()).await {
        Ok(Some(task)) => (StatusCode::OK, Json(json!({ "tasks": [task] }))),
        _ => (StatusCode::OK, Json(json!({ "tasks": [] }))),
    }
}

async fn hear(
    State(inside): State<Arc<Inside>>,
    Path((_, verb)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if inside.is_away.load(Ordering::SeqCst) {
        let _ = inside.heard.send((AWAY.to_owned(), json!(verb)));
        let problem = json!({ "code": "unavailable", "detail": "away" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(problem));
    }
    // A config tells what a heartbeat is to be answered with.
    let is_cancelled = body["checkpoint"] == "cancel me";
    let _ = inside.heard.send((verb, body));
    let beat = json!({ "cancel": is_cancelled, "reason": is_cancelled.then_some("cancelled") });
    (StatusCode::OK, Json(beat))
}
