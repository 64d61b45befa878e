//! Whatever stands in a journal is either refused or folded. A fold never panics, and the state it
//! leaves can be kept and read again.

use fastrand::Rng;
use serde_json::Value;
use windlass_core::run::{Event, RunState};

use crate::driver::fuzz;
use crate::{corpus, mutate};

const WORDS: [&str; 40] = [
    "at",
    "is",
    "path",
    "kind",
    "input",
    "attempt",
    "output",
    "edges",
    "to",
    "nodes",
    "ready",
    "retry_at",
    "started_at",
    "error",
    "code",
    "message",
    "reason",
    "from",
    "items",
    "scope",
    "run_created",
    "run_started",
    "step_queued",
    "attempt_started",
    "attempt_failed",
    "attempt_interrupted",
    "step_waiting",
    "step_succeeded",
    "step_failed",
    "step_skipped",
    "step_cancelled",
    "map_opened",
    "items_opened",
    "loop_opened",
    "run_succeeded",
    "each",
    "each[0].a",
    "each[4294967295]",
    "a~undo",
    "#2",
];

/// A journal in which something is out of place.
fn make(rng: &mut Rng, corpus: &[Vec<String>]) -> String {
    let mut lines = corpus[rng.usize(0..corpus.len())].clone();
    for _ in 0..rng.usize(1..=4) {
        if lines.is_empty() {
            break;
        }
        let (one, other) = (rng.usize(0..lines.len()), rng.usize(0..lines.len()));
        match rng.u8(0..7) {
            0 => drop(lines.remove(one)),
            1 => lines.insert(one, lines[other].clone()),
            2 => lines.swap(one, other),
            3 => {
                let journal = &corpus[rng.usize(0..corpus.len())];
                lines.insert(one, journal[rng.usize(0..journal.len())].clone());
            }
            4 => lines[one] = mutate::text(rng, &lines[one], &lines, &WORDS),
            _ => {
                let Ok(mut event) = serde_json::from_str::<Value>(&lines[one]) else { continue };
                mutate::value(rng, &mut event, &WORDS);
                lines[one] = event.to_string();
            }
        }
    }
    lines.join("\n")
}

fn look(text: &str) -> &'static str {
    let mut events = Vec::new();
    for line in text.lines() {
        let Ok(event) = serde_json::from_str::<Event>(line) else { return "unreadable" };
        let written = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), event, "{written}");
        events.push(event);
    }
    let Some(state) = RunState::replay(&events) else { return "headless" };
    let _ = state.outstanding().count();
    let kept = serde_json::to_string(&state).unwrap();
    let read: RunState = serde_json::from_str(&kept).unwrap();
    assert_eq!(read, state, "{kept}");
    "folded"
}

#[test]
fn journal() {
    let corpus = corpus::journals();
    fuzz("journal", &["folded", "unreadable", "headless"], |rng| make(rng, &corpus), look);
}

#[test]
fn an_item_that_ends_more_often_than_it_began_is_no_panic() {
    let journals = corpus::journals();
    let ends = |line: &String| line.contains("\"item_succeeded\"");
    let mut lines = journals.iter().find(|journal| journal.iter().any(ends)).unwrap().clone();
    let place = lines.iter().position(ends).unwrap();
    for _ in 0..30 {
        lines.insert(place, lines[place].clone());
    }
    assert_eq!(look(&lines.join("\n")), "folded");
}
