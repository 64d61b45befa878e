//! Server-sent events, taken apart.

/// One event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) event: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// Takes a stream apart. Lines end with CR, LF or both, and with nothing else.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    rest: Vec<u8>,
    event: String,
    id: Option<String>,
    data: Option<String>,
    is_after_cr: bool,
}

impl Decoder {
    /// The frames that have come to their end with these bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for byte in bytes {
            let is_second_half = *byte == b'\n' && self.is_after_cr;
            self.is_after_cr = *byte == b'\r';
            match byte {
                b'\n' if is_second_half => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.rest);
                    frames.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                byte => self.rest.push(*byte),
            }
        }
        frames
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let event = if event.is_empty() { "message".to_owned() } else { event };
            let id = self.id.take();
            return self.data.take().map(|data| Frame { event, id, data });
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_wherever_the_stream_is_cut() {
        let text = ": alive\n\nid: 7\r\nevent: log\r\ndata: {\"text\":\"a\u{2028}b\"}\r\n\r\n\
                    retry: 5\n\ndata:x\ndata: y\n\n";
        let frame = |event: &str, id: Option<&str>, data: &str| Frame {
            event: event.to_owned(),
            id: id.map(str::to_owned),
            data: data.to_owned(),
        };
        let expected =
            [frame("log", Some("7"), "{\"text\":\"a\u{2028}b\"}"), frame("message", None, "x\ny")];
        for size in 1..=text.len() {
            let mut decoder = Decoder::default();
            let frames: Vec<Frame> =
                text.as_bytes().chunks(size).flat_map(|chunk| decoder.feed(chunk)).collect();
            assert_eq!(frames, expected, "in pieces of {size}");
        }
    }
}
