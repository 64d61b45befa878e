//! What can be read off an answer's frames as they come, and nowhere else: which model really
//! answers, how large it all is, and what was used if the answer breaks off or the provider puts
//! the usage where the client does not look.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// What the frames have said so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) model: Option<String>,
    pub(super) byte_count: usize,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cached_tokens: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    seen: Arc<Mutex<Seen>>,
}

const MODEL: [&str; 3] = ["/model", "/message/model", "/modelVersion"];
const INPUT: [&str; 3] =
    ["/usage/prompt_tokens", "/usageMetadata/promptTokenCount", "/message/usage/input_tokens"];
const OUTPUT: [&str; 3] =
    ["/usage/completion_tokens", "/usageMetadata/candidatesTokenCount", "/usage/output_tokens"];
const CACHED: [&str; 3] = [
    "/usage/prompt_tokens_details/cached_tokens",
    "/usageMetadata/cachedContentTokenCount",
    "/message/usage/cache_read_input_tokens",
];

impl Frames {
    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn take(&self, data: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.byte_count += data.len();
        let has_usage = data.contains("\"usage") && !data.contains("\"usage\":null");
        if !has_usage && seen.model.is_some() {
            return;
        }
        let Ok(frame) = serde_json::from_str::<Value>(data) else { return };
        let number = |pointers: [&str; 3]| {
            pointers.iter().find_map(|pointer| frame.pointer(pointer)?.as_u64()).unwrap_or(0)
        };
        if seen.model.is_none() {
            let name = MODEL.iter().find_map(|pointer| frame.pointer(pointer)?.as_str());
            seen.model = name.map(str::to_owned);
        }
        // The counts only grow within one answer.
        seen.input_tokens = seen.input_tokens.max(number(INPUT));
        seen.output_tokens = seen.output_tokens.max(number(OUTPUT));
        seen.cached_tokens = seen.cached_tokens.max(number(CACHED));
    }
}
