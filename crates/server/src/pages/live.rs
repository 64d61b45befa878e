//! Sending parts of a page anew. A part is an element with an id; `live.js` puts it in the place of
//! the one with the same id.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::convert::Infallible;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::access::Caller;
use crate::app::{App, is_down};
use crate::http::problem::Problem;

/// News are collected this long, so that a busy run costs a page a few renderings a second.
pub(super) const COLLECT: Duration = Duration::from_millis(150);

/// What no event tells of, such as the time that a lease has left, is looked at that often.
pub(super) const TICK: Duration = Duration::from_secs(2);

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

/// A stream of parts that are made anew whenever anything has become durable, and that often besides.
pub(super) fn watch<M, F>(
    app: &Arc<App>,
    caller: &Caller,
    tick: Option<Duration>,
    mut make: M,
) -> Response
where
    M: FnMut() -> F + Send + 'static,
    F: Future<Output = Result<Vec<Part>, Problem>> + Send,
{
    let (mut sender, response) = stream();
    let (app, caller) = (app.clone(), caller.clone());
    let mut changes = app.engine.feed().changes();
    let mut going_down = app.going_down.clone();
    tokio::spawn(async move {
        let _count = app.metrics.stream();
        let is_left = sender.closed();
        tokio::pin!(is_left);
        loop {
            changes.mark_unchanged();
            let began = Instant::now();
            let Ok(parts) = make().await else { break };
            if !sender.send(parts).await {
                break;
            }
            // What changes fast, or takes long to make, is looked at less often, so that watching
            // stays cheap.
            tokio::time::sleep((began.elapsed() * 4).max(COLLECT * 2)).await;
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(tick.unwrap_or_default()), if tick.is_some() => {}
                () = is_down(&mut going_down) => break,
                () = &mut is_left => break,
                () = app.gate.until_out(&caller) => break,
            }
        }
    });
    response
}

/// A part that takes the place of the element with its id.
pub(super) fn whole(id: impl Into<String>, html: String) -> Part {
    Part { id: id.into(), into: None, html }
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
