//! Events as the store keeps them: several to a row.

use windlass_store::{CHUNK_BYTES_MAX, Chunk, NumberedEvent};

/// Events as texts, several to a row.
pub(super) fn chunks(events: &[NumberedEvent]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut open: Option<(u64, Vec<u8>)> = None;
    for (place, numbered) in events.iter().enumerate() {
        let (first_seq, mut body) = match open.take() {
            Some((first_seq, mut body)) => {
                body.push(b',');
                (first_seq, body)
            }
            None => (numbered.seq, vec![b'[']),
        };
        serde_json::to_writer(&mut body, &numbered.event).expect("events have only text keys");
        if body.len() < CHUNK_BYTES_MAX && place + 1 < events.len() {
            open = Some((first_seq, body));
            continue;
        }
        body.push(b']');
        let body = String::from_utf8(body).expect("JSON is UTF-8");
        chunks.push(Chunk { first_seq, last_seq: numbered.seq, body });
    }
    chunks
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use windlass_core::Time;
    use windlass_core::run::{Event, Fact};

    use super::*;

    #[test]
    fn long_texts_are_cut_into_chunks_without_gaps() {
        let output = Arc::new(json!("x".repeat(CHUNK_BYTES_MAX / 3)));
        let event = |seq| NumberedEvent {
            seq,
            event: Event {
                at: Time::from_micros(0),
                fact: Fact::RunSucceeded { output: output.clone() },
            },
        };
        let events: Vec<NumberedEvent> = (5..12).map(event).collect();
        let chunks = chunks(&events);
        let places: Vec<(u64, u64)> =
            chunks.iter().map(|chunk| (chunk.first_seq, chunk.last_seq)).collect();
        assert_eq!(places, [(5, 7), (8, 10), (11, 11)]);
        let read: Vec<Event> = chunks
            .iter()
            .flat_map(|chunk| serde_json::from_str::<Vec<Event>>(&chunk.body).unwrap())
            .collect();
        assert!(read.iter().eq(events.iter().map(|numbered| &numbered.event)));
        assert_eq!(super::chunks(&[]), []);
    }
}
