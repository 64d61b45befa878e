//! WebSockets: the way up to one, and one that only tells.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::problem::Problem;
use crate::access::Caller;
use crate::app::App;

/// How often a silent socket says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// The largest message that is read, in bytes.
const HEARD_BYTES_MAX: usize = 64 * 1024;

/// The buffer for what is read, in bytes. Each socket has one, and there may be thousands.
const READ_BUFFER_BYTES: usize = 2 * 1024;

/// A connection's place among all that may be open. A socket keeps it after its connection has been
/// handed over.
#[derive(Clone, Debug)]
pub struct Held(pub Arc<OwnedSemaphorePermit>);

/// A request that wants a socket, or why it cannot have one. Only [`Upgrade::answer`] tells it, so
/// that whoever asks for what is not there hears of that first.
#[derive(Debug)]
pub struct Upgrade {
    upgrade: Result<WebSocketUpgrade, String>,
    held: Option<Held>,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Upgrade, Problem> {
        let held = parts.extensions.get::<Held>().cloned();
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        Ok(Upgrade { upgrade: upgrade.map_err(|rejection| rejection.body_text()), held })
    }
}

impl Upgrade {
    /// Goes over to a socket.
    ///
    /// # Errors
    ///
    /// `bad-parameter` if the request wants none.
    pub fn answer<F, T>(self, talk: F) -> Result<Response, Problem>
    where
        F: FnOnce(WebSocket) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let Upgrade { upgrade, held } = self;
        let upgrade = upgrade.map_err(|why| {
            Problem::parameter("Upgrade", format!("a WebSocket is to be opened here: {why}"))
        })?;
        let upgrade = upgrade.max_message_size(HEARD_BYTES_MAX).read_buffer_size(READ_BUFFER_BYTES);
        Ok(upgrade.on_upgrade(move |socket| async move {
            talk(socket).await;
            drop(held);
        }))
    }
}

/// Passes the messages of `telling` on to a socket until they end, its reader goes, or has to: then
/// nothing is told any more, since a run may say nothing for days. What the reader says is not read.
pub async fn speak(
    app: &App,
    caller: &Caller,
    socket: WebSocket,
    messages: mpsc::Receiver<String>,
    telling: impl Future<Output = ()>,
) {
    let telling = async {
        telling.await;
        // What was told is passed on still.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = telling => {}
        () = talk(app, caller, socket, messages, None) => {}
    }
}

/// The same, and passes on what the other side says. Whoever asks faster than they are answered waits.
pub async fn converse(
    app: &App,
    caller: &Caller,
    socket: WebSocket,
    messages: mpsc::Receiver<String>,
    heard: mpsc::Sender<String>,
) {
    talk(app, caller, socket, messages, Some(heard)).await;
}

async fn talk(
    app: &App,
    caller: &Caller,
    mut socket: WebSocket,
    mut messages: mpsc::Receiver<String>,
    heard: Option<mpsc::Sender<String>>,
) {
    // What was said and could not be passed on yet: nothing more is read until it is.
    let mut said: Option<String> = None;
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    let is_out = app.gate.until_out(caller);
    tokio::pin!(is_out);
    let (code, reason) = loop {
        let sent = tokio::select! {
            message = messages.recv() => match message {
                Some(text) => socket.send(Message::Text(text.into())).await,
                None if *app.going_down.borrow() => {
                    break (close_code::AWAY, "the server goes down");
                }
                None => break (close_code::NORMAL, "everything was said"),
            },
            message = socket.recv(), if said.is_none() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(Message::Text(text))) if heard.is_some() => {
                    said = Some(text.to_string());
                    Ok(())
                }
                Some(Ok(_)) => Ok(()),
            },
            room = reserve(heard.as_ref()), if said.is_some() => {
                let text = said.take();
                if let (Some(room), Some(text)) = (room, text) {
                    room.send(text);
                }
                Ok(())
            }
            _ = heartbeat.tick() => socket.send(Message::Ping(Vec::new().into())).await,
            () = &mut is_out => break (close_code::POLICY, "the key is no longer good"),
        };
        if sent.is_err() {
            return;
        }
    };
    // Who is gone already need not hear of it.
    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
}

async fn reserve(heard: Option<&mpsc::Sender<String>>) -> Option<mpsc::Permit<'_, String>> {
    heard?.reserve().await.ok()
}
