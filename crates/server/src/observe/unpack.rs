//! Bodies as they were before they were packed to be sent.

use std::io::Read;
use std::ops::Deref;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::problem::{self, Problem};

/// How much unpacked bodies may take at once, in bytes: a small body may hold a very large one, and many
/// of them may come at the same time.
const ROOM_BYTES: u64 = 256 * 1024 * 1024;
/// Room is taken in pieces of so many bytes.
const PIECE_BYTES: u64 = 64 * 1024;

/// Room for what is unpacked.
#[derive(Clone, Debug)]
pub struct Room {
    pieces: Arc<Semaphore>,
    bytes_max: u64,
}

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Unpacked {
    bytes: Bytes,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for some of the largest bodies, of which each has at most `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Room {
        let pieces = ROOM_BYTES.max(bytes_max.saturating_mul(4)).div_ceil(PIECE_BYTES);
        let pieces = usize::try_from(pieces).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Room { pieces: Arc::new(Semaphore::new(pieces)), bytes_max }
    }

    /// A body as it was before it was sent.
    ///
    /// # Errors
    ///
    /// `bad-parameter` if the encoding is none of ours or the body none of it, `body-too-large` if more
    /// comes out than a body may have, `unavailable` if too much is being unpacked.
    pub fn unpacked(&self, headers: &HeaderMap, body: Bytes) -> Result<Unpacked, Problem> {
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str());
        let encoding = encoding.map(|word| word.map(|word| word.trim().to_ascii_lowercase()));
        match encoding.as_ref().map(|word| word.as_deref()) {
            None | Some(Ok("" | "identity")) => Ok(Unpacked { bytes: body, held: None }),
            Some(Ok("gzip" | "x-gzip")) => {
                self.inflate("gzip", flate2::read::MultiGzDecoder::new(&*body))
            }
            Some(Ok("deflate")) => self.inflate("deflate", flate2::read::ZlibDecoder::new(&*body)),
            Some(Ok("zstd")) => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&*body);
                self.inflate("zstd", decoder.map_err(|error| damaged("zstd", &error))?)
            }
            Some(_) => {
                let message = "`gzip`, `zstd`, `deflate` or `identity` is possible";
                Err(Problem::parameter("Content-Encoding", message))
            }
        }
    }

    /// Stops as soon as there is too much.
    fn inflate(&self, encoding: &str, mut from: impl Read) -> Result<Unpacked, Problem> {
        let (mut bytes, mut held) = (Vec::new(), None);
        loop {
            let Ok(piece) = self.pieces.clone().try_acquire_owned() else {
                let message = "too many bodies are being unpacked; send it again";
                return Err(Problem::new(problem::UNAVAILABLE, message));
            };
            match &mut held {
                None => held = Some(piece),
                Some(held) => held.merge(piece),
            }
            let read = from.by_ref().take(PIECE_BYTES).read_to_end(&mut bytes);
            if read.map_err(|error| damaged(encoding, &error))? == 0 {
                return Ok(Unpacked { bytes: bytes.into(), held });
            }
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > self.bytes_max {
                let message =
                    "unpacked, the body is larger than the server's `server.body_bytes_max`";
                return Err(Problem::new(problem::BODY_TOO_LARGE, message));
            }
        }
    }
}

impl Unpacked {
    /// What the body is made into takes its room.
    pub fn into_held(self) -> Option<OwnedSemaphorePermit> {
        self.held
    }
}

impl Deref for Unpacked {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

fn damaged(encoding: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::parameter("Content-Encoding", format!("the body is no {encoding}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(length: usize) -> Bytes {
        zstd::encode_all(&*vec![b' '; length], 1).unwrap().into()
    }

    #[test]
    fn room_that_is_taken_is_given_back() {
        let room = Room::new(1024 * 1024);
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "zstd".parse().unwrap())]);
        let body = packed(1024 * 1024);
        assert_eq!(
            room.unpacked(&headers, packed(1024 * 1025)).unwrap_err().code,
            problem::BODY_TOO_LARGE
        );
        let mut held = Vec::new();
        let refused = loop {
            match room.unpacked(&headers, body.clone()) {
                Ok(unpacked) => held.push(unpacked.into_held()),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused.code, problem::UNAVAILABLE);
        // The last piece of each finds that nothing follows.
        assert_eq!(held.len(), 256 * 16 / 17);
        held.pop();
        assert_eq!(room.unpacked(&headers, body).unwrap().len(), 1024 * 1024);
    }
}
