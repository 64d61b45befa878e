//! Bytes from a pipe to log lines, within limits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt};
use windlass_core::limits::{LOG_LINE_BYTES_MAX, LOG_LINE_COUNT_MAX};

use crate::context::{LogSink, LogStream};

/// How much of the end of what was written is kept for the output or the error.
pub(crate) const TAIL_BYTES_MAX: usize = 64 * 1024;

/// Reads a pipe to its end, however much comes: past the limits it is read and dropped, so that the
/// writer never waits for a reader that has lost interest. Returns the last of it.
pub(crate) async fn pump(
    mut pipe: impl AsyncRead + Unpin,
    stream: LogStream,
    logs: LogSink,
    count: Arc<AtomicU64>,
) -> String {
    let mut lines = Lines { stream, logs, count, line: Vec::new(), is_cut: false };
    let mut tail = Tail::default();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        tail.push(&buffer[..length]);
        lines.push(&buffer[..length]).await;
    }
    lines.end().await;
    tail.into_text()
}

struct Lines {
    stream: LogStream,
    logs: LogSink,
    /// Lines of the attempt so far, on both streams.
    count: Arc<AtomicU64>,
    line: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    async fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.take(&bytes[..end]);
            self.send().await;
            bytes = &bytes[end + 1..];
        }
        self.take(bytes);
    }

    async fn end(&mut self) {
        if !self.line.is_empty() {
            self.send().await;
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = LOG_LINE_BYTES_MAX - self.line.len();
        self.is_cut |= bytes.len() > room;
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    async fn send(&mut self) {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if number <= LOG_LINE_COUNT_MAX {
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            let mut text = String::from_utf8_lossy(line).into_owned();
            if self.is_cut {
                text.push_str(" … [cut]");
            }
            self.logs.line(self.stream, text).await;
        } else if number == LOG_LINE_COUNT_MAX + 1 {
            let text = format!("more than {LOG_LINE_COUNT_MAX} lines: the rest is dropped");
            self.logs.line(LogStream::System, text).await;
        }
        self.line.clear();
        self.is_cut = false;
    }
}

#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let excess = self.bytes.len().saturating_sub(TAIL_BYTES_MAX);
        self.is_cut |= excess > 0;
        self.bytes.drain(..excess);
    }

    /// From the start of a line, if the beginning is lost.
    fn into_text(mut self) -> String {
        let bytes = self.bytes.make_contiguous();
        let first_line_end = bytes.iter().position(|byte| *byte == b'\n');
        let start = match first_line_end {
            Some(end) if self.is_cut && end + 1 < bytes.len() => end + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&bytes[start..]).trim_end().to_owned()
    }
}
