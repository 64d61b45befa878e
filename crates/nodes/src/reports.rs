//! What an attempt tells about itself while it is under way, besides its log lines.

use serde_json::Value;
use tokio::sync::mpsc;

/// How many events may wait for whoever forwards them. A page that is this far behind has lost
/// nothing it could still show in time.
const LIVE_EVENTS_WAITING_MAX: usize = 1_024;

/// Something to show at once and to keep nowhere.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveEvent {
    /// What kind of thing: `llm_token`.
    pub kind: String,
    /// The rest, by kind.
    pub data: Value,
}

/// Takes what is only worth showing while it happens. It never holds its writer back: what nobody
/// takes in time is dropped.
#[derive(Clone, Debug)]
pub struct LiveSink {
    events: Option<mpsc::Sender<LiveEvent>>,
}

impl LiveSink {
    /// A sink, and where its events come out.
    pub fn channel() -> (LiveSink, mpsc::Receiver<LiveEvent>) {
        let (events, out) = mpsc::channel(LIVE_EVENTS_WAITING_MAX);
        (LiveSink { events: Some(events) }, out)
    }

    /// A sink that nobody looks into.
    pub fn none() -> LiveSink {
        LiveSink { events: None }
    }

    /// Takes an event, or drops it.
    pub fn send(&self, kind: &str, data: Value) {
        if let Some(events) = &self.events {
            let _ = events.try_send(LiveEvent { kind: kind.to_owned(), data });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn live_events_are_dropped_rather_than_waited_for() {
        let (sink, mut out) = LiveSink::channel();
        for number in 0..LIVE_EVENTS_WAITING_MAX + 10 {
            sink.send("llm_token", json!(number));
        }
        drop(sink);
        let mut count = 0;
        while let Ok(event) = out.try_recv() {
            assert_eq!(event, LiveEvent { kind: "llm_token".into(), data: json!(count) });
            count += 1;
        }
        assert_eq!(count, LIVE_EVENTS_WAITING_MAX);
        LiveSink::none().send("llm_token", json!(1));
    }
}
