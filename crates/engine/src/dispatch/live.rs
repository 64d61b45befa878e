//! Handing on what an attempt has to show at once, with its secrets hidden.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use windlass_nodes::LiveEvent;

use super::Dispatcher;
use super::mask::Mask;
use crate::live::{LLM_TOKEN, LiveNote};
use crate::shard::AttemptOrder;

/// Words are collected this long, so that a fast model costs no frame per token.
const COLLECT: Duration = Duration::from_millis(25);
/// Events handed on at once, at most.
const EVENTS_PER_TURN: usize = 1_024;

/// Hands on until the attempt has ended.
pub(super) async fn hand_on(
    dispatcher: Arc<Dispatcher>,
    order: Arc<AttemptOrder>,
    mut events: mpsc::Receiver<LiveEvent>,
    mask: Arc<Mask>,
) {
    let mut speech = Speech { dispatcher: &dispatcher, order: &order, mask: &mask, now: None };
    let mut batch = Vec::new();
    while events.recv_many(&mut batch, EVENTS_PER_TURN).await > 0 {
        for event in batch.drain(..) {
            match event.kind.as_str() {
                LLM_TOKEN => speech.take(&event.data),
                _ => {
                    speech.end();
                    let AttemptOrder { run_id, path, attempt, .. } = &*order;
                    let (path, data) = (path.clone(), mask.value(event.data));
                    let kind = event.kind;
                    let note = LiveNote { run_id: *run_id, path, attempt: *attempt, kind, data };
                    dispatcher.shared.live.tell(note);
                }
            }
        }
        speech.say_what_is_safe();
        tokio::time::sleep(COLLECT).await;
    }
    speech.end();
    dispatcher.shared.live.ended(order.run_id, &order.path, order.attempt);
}

/// The words of an answer on their way out.
struct Speech<'a> {
    dispatcher: &'a Dispatcher,
    order: &'a AttemptOrder,
    mask: &'a Mask,
    now: Option<Words>,
}

/// An answer that is being given.
struct Words {
    turn: u64,
    /// How many bytes have come.
    byte_count: u64,
    /// What was not said yet.
    held: String,
}

impl Speech<'_> {
    fn take(&mut self, data: &Value) {
        let number = |name: &str| data[name].as_u64().unwrap_or_default();
        let (turn, offset) = (number("turn"), number("offset"));
        let text = data["text"].as_str().unwrap_or_default();
        if self.now.as_ref().is_some_and(|words| words.turn != turn) {
            self.end();
        }
        let words = self.now.get_or_insert(Words { turn, byte_count: 0, held: String::new() });
        if words.byte_count != offset {
            // Words were dropped on the way. What was held may be the half of a secret.
            words.held = " … ".to_owned();
        }
        words.held.push_str(text);
        words.byte_count = offset + u64::try_from(text.len()).unwrap_or(u64::MAX);
    }

    /// Says all but what may be the beginning of a secret.
    fn say_what_is_safe(&mut self) {
        if let Some(words) = &mut self.now {
            let rest = words.held.split_off(self.mask.safe_length(&words.held));
            let safe = std::mem::replace(&mut words.held, rest);
            let turn = words.turn;
            self.say(turn, safe);
        }
    }

    fn end(&mut self) {
        if let Some(words) = self.now.take() {
            self.say(words.turn, words.held);
        }
    }

    fn say(&self, turn: u64, text: String) {
        let AttemptOrder { run_id, path, attempt, .. } = self.order;
        if !text.is_empty() {
            self.dispatcher.shared.live.say(*run_id, path, (*attempt, turn), &self.mask.text(text));
        }
    }
}
