use std::collections::VecDeque;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderName};
use serde_json::Value;

use crate::client::retry_after;
use crate::patience::Patience;
use crate::sse::{Decoder, Frame};
use crate::{Client, Error, Problem, Request, RunHandle};

/// A silent stream says every 15 seconds that it is alive.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How often a stream is begun anew while nothing comes out of it: for about a minute.
const RECONNECTS: u32 = 16;

/// Something that has happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// `snapshot`, an event's type, `log`, or what is kept nowhere, such as `llm_token`.
    pub kind: String,
    /// Its number in the journal, if it is kept there.
    pub id: Option<u64>,
    /// The rest.
    pub data: Value,
}

/// What happens in a run. A connection that breaks is made again: no event and no log line is missed
/// or comes twice.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    run: RunHandle,
    /// The last event that was seen.
    after: Option<u64>,
    /// The last log line that was seen, if that is known.
    log_seq: Option<u64>,
    open: Option<(reqwest::Response, Decoder)>,
    frames: VecDeque<Frame>,
    events: VecDeque<StreamEvent>,
    patience: Patience,
    /// Whether anything has come by the connection.
    has_moved: bool,
    is_over: bool,
}

impl EventStream {
    pub(crate) fn new(client: Client, run: RunHandle, after: Option<u64>) -> EventStream {
        EventStream {
            client,
            run,
            after,
            log_seq: None,
            open: None,
            frames: VecDeque::new(),
            events: VecDeque::new(),
            patience: Patience::new(RECONNECTS),
            has_moved: false,
            is_over: false,
        }
    }

    /// The next event; `None` when the run is over and all was said.
    ///
    /// # Errors
    ///
    /// If the server refuses, or is gone for longer than a restart takes.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, Error> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(frame) = self.frames.pop_front() {
                self.take(&frame).await?;
            } else if self.is_over {
                return Ok(None);
            } else if let Err(error) = self.read().await {
                self.open = None;
                match self.patience.after(&error, true) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                }
            }
        }
    }

    /// Reads what comes next, from a new connection if there is none.
    async fn read(&mut self) -> Result<(), Error> {
        let Some((response, decoder)) = &mut self.open else { return self.connect().await };
        let broken = |cause: &str| Error::Unreachable {
            server: self.client.server().to_owned(),
            cause: cause.to_owned(),
            may_be_sent: true,
        };
        let chunk = tokio::time::timeout(SILENCE_MAX, response.chunk()).await;
        let chunk = chunk.map_err(|_| broken("the stream is silent"))?;
        match chunk.map_err(|error| self.client.unreachable(&error))? {
            Some(bytes) => {
                let frames = decoder.feed(&bytes);
                if !frames.is_empty() {
                    (self.patience, self.has_moved) = (Patience::new(RECONNECTS), true);
                }
                self.frames.extend(frames);
                Ok(())
            }
            // It has ended because the run has, or because the server goes down.
            None if self.has_moved => {
                self.open = None;
                Ok(())
            }
            None => Err(broken("the stream ended")),
        }
    }

    async fn connect(&mut self) -> Result<(), Error> {
        let mut request = Request::get(self.run.path("/stream"));
        request.headers.push((ACCEPT, "text/event-stream".to_owned()));
        if let Some(after) = self.after {
            let name = HeaderName::from_static("last-event-id");
            request.headers.push((name, after.to_string()));
        }
        let response = self.client.begin(request).await?;
        let status = response.status();
        if !status.is_success() {
            let retry_after = retry_after(&response);
            let body = response.bytes().await.unwrap_or_default();
            return Err(Error::Refused(Box::new(Problem::read(status, retry_after, &body))));
        }
        // Lines that were written while nobody listened.
        self.lines_behind().await?;
        if status == StatusCode::NO_CONTENT {
            self.is_over = true;
        } else {
            self.has_moved = false;
            self.open = Some((response, Decoder::default()));
        }
        Ok(())
    }

    async fn take(&mut self, frame: &Frame) -> Result<(), Error> {
        let nonsense = |error| Error::Nonsense(format!("an event makes no sense: {error}"));
        let data: Value = serde_json::from_str(&frame.data).map_err(nonsense)?;
        if frame.event == "log" {
            let number = data["log_seq"].as_u64();
            if number.zip(self.log_seq).is_some_and(|(number, last)| number > last + 1) {
                self.lines_behind().await?;
            }
            self.line(data);
            return Ok(());
        }
        let id = frame.id.as_deref().and_then(|id| id.parse().ok());
        let is_snapshot = frame.event == "snapshot";
        if let Some(id) = id {
            if !is_snapshot && self.after.is_some_and(|after| id <= after) {
                return Ok(());
            }
            self.after = Some(id);
        }
        if is_snapshot {
            self.log_seq = data["log_seq"].as_u64();
        }
        self.events.push_back(StreamEvent { kind: frame.event.clone(), id, data });
        Ok(())
    }

    /// Takes a log line, unless it was seen before.
    fn line(&mut self, data: Value) {
        if let Some(number) = data["log_seq"].as_u64() {
            if self.log_seq.is_some_and(|last| number <= last) {
                return;
            }
            self.log_seq = Some(number);
        }
        self.events.push_back(StreamEvent { kind: "log".to_owned(), id: None, data });
    }

    async fn lines_behind(&mut self) -> Result<(), Error> {
        let Some(last) = self.log_seq else { return Ok(()) };
        for line in self.run.log_values(last).await? {
            self.line(line);
        }
        Ok(())
    }
}
