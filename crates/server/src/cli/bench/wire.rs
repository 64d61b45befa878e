//! A connection that costs next to nothing: what a client costs would count as the server's.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(super) struct Wire {
    stream: TcpStream,
    address: String,
    buffer: Vec<u8>,
    /// Where the body of the last answer lies in the buffer.
    body: std::ops::Range<usize>,
}

impl Wire {
    pub(super) async fn open(address: &str) -> anyhow::Result<Wire> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Wire { stream, address: address.to_owned(), buffer: vec![0; 16 * 1024], body: 0..0 })
    }

    /// Sends a request, and reads its answer. Says its status.
    pub(super) async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<u16> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                self.buffer.resize(length * 2, 0);
            }
            let more = self.stream.read(&mut self.buffer[length..]).await?;
            ensure!(more > 0, "the server closed a connection");
            length += more;
            let Some(head) = self.buffer[..length].windows(4).position(|at| at == b"\r\n\r\n")
            else {
                continue;
            };
            let text = std::str::from_utf8(&self.buffer[..head])?;
            let bytes = field(&text.to_ascii_lowercase(), "content-length: ")
                .map_or(Ok(0), str::parse::<usize>)?;
            if length >= head + 4 + bytes {
                self.body = head + 4..head + 4 + bytes;
                let status = text.get(9..12).context("an answer begins with a status")?;
                return Ok(status.parse()?);
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &str {
        std::str::from_utf8(&self.buffer[self.body.clone()]).unwrap_or_default()
    }
}

/// The number behind a word.
pub(super) fn field<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = &text[text.find(word)? + word.len()..];
    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    Some(&rest[..end])
}
