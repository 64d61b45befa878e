//! Listening: one task a connection, limits on what a client may send before it is heard, and an
//! end that lets requests under way finish. hyper itself takes at most 100 header lines.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use super::socket::Held;
use crate::app::is_down;

/// How long a client may take to send the head of a request, or leave a connection idle.
const HEAD_TIME_MAX: Duration = Duration::from_secs(60);
/// The largest head, and the buffer of a connection, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// How long what was sent to a client may stay unread.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Connections that may wait to be accepted. When a server is back, all who watch come back at once;
/// who finds no place there tries again after seconds.
const BACKLOG: u32 = 4_096;
/// How long requests under way may take when the server ends.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Opens the port.
///
/// # Errors
///
/// If it cannot be opened.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // After a restart the port is ours again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `going_down` is true, and then until nothing is under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connection_count_max: usize,
    mut going_down: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(connection_count_max));
    let all = u32::try_from(connection_count_max).unwrap_or(u32::MAX);
    loop {
        let next = async {
            let permit = permits.clone().acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            next = next => next,
            () = is_down(&mut going_down) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, going_down) = (router.clone(), going_down.clone());
                tokio::spawn(async move {
                    let held = permit.ok().map(|permit| Held(Arc::new(permit)));
                    connection(stream, peer, router, held, going_down).await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely. Others may end meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, permits.acquire_many(all)).await;
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    held: Option<Held>,
    mut going_down: watch::Receiver<bool>,
) {
    // Answers are written whole, so waiting for more to send only costs time.
    let _ = stream.set_nodelay(true);
    // A client that does not read would keep its connection for ever.
    let silence_ms = u32::try_from(SILENCE_MAX.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, silence_ms);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, held) = (router.clone(), held.clone());
        async move { Ok::<_, Infallible>(answer(router, held, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    let result = tokio::select! {
        result = &mut served => result,
        () = is_down(&mut going_down) => {
            served.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN_TIME_MAX, served).await {
                Ok(result) => result,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn answer(
    router: Router,
    held: Option<Held>,
    mut request: Request<Incoming>,
) -> axum::response::Response {
    if let Some(held) = held {
        request.extensions_mut().insert(held);
    }
    match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
