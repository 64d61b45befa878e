//! Sending parts of a page anew. A part is an element with an id; `live.js` puts it in the place of
//! the one with the same id.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// News are collected this long, so that a busy run costs a page a few renderings a second.
pub(super) const COLLECT: Duration = Duration::from_millis(150);

/// A part of a page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Part {
    /// The element's id.
    pub(super) id: String,
    /// The element that a new one is appended to.
    pub(super) into: Option<&'static str>,
    /// The element.
    pub(super) html: String,
}

/// Sends parts to one reader, each only if it has changed.
pub(super) struct Sender {
    frames: mpsc::Sender<Result<Event, Infallible>>,
    sent: HashMap<String, u64>,
}

/// A stream of parts, and what sends them.
pub(super) fn stream() -> (Sender, Response) {
    let (frames, out) = mpsc::channel(16);
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("alive");
    let response = Sse::new(ReceiverStream::new(out)).keep_alive(keep_alive).into_response();
    (Sender { frames, sent: HashMap::new() }, response)
}

impl Sender {
    /// Sends what has changed. Answers whether anybody listens.
    pub(super) async fn send(&mut self, parts: Vec<Part>) -> bool {
        for part in parts {
            let mut hasher = DefaultHasher::new();
            part.html.hash(&mut hasher);
            let hash = hasher.finish();
            if self.sent.get(&part.id) == Some(&hash) {
                continue;
            }
            let frame = Event::default().event("part").json_data(&part).unwrap_or_default();
            if self.frames.send(Ok(frame)).await.is_err() {
                return false;
            }
            self.sent.insert(part.id, hash);
        }
        !self.frames.is_closed()
    }

    /// Waits until nobody listens any more.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let frames = self.frames.clone();
        async move { frames.closed().await }
    }

    /// Tells the reader that nothing follows.
    pub(super) async fn end(&self) {
        let _ = self.frames.send(Ok(Event::default().event("end").data("over"))).await;
    }
}
