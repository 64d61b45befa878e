//! A client of a server's sockets.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use windlass_server::http::listen;

use crate::harness::Server;

pub(crate) struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// The code with which the server has closed it.
    pub(crate) closed_with: Option<u16>,
}

impl Socket {
    /// Opens a socket, over a listener of its own; the status if the server refuses.
    pub(crate) async fn open(
        server: &Server,
        path: &str,
        headers: &[(&'static str, String)],
    ) -> Result<Socket, u16> {
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let going_down = server.house.go_down.subscribe();
        tokio::spawn(listen::serve(listener, server.router.clone(), 8, going_down));
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).await.unwrap();
        match client_async(request, stream).await {
            Ok((stream, _)) => Ok(Socket { stream, closed_with: None }),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Says something to the server.
    pub(crate) async fn say(&mut self, text: impl ToString) {
        self.stream.send(Message::text(text.to_string())).await.unwrap();
    }

    /// The next message; `None` once the server has closed.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    self.closed_with = frame.map(|frame| frame.code.into());
                    return None;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
