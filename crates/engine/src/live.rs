//! What is only worth showing while it happens: the words of a model as they come, tools in use.
//!
//! Nothing of it is durable, and nothing waits for whoever watches. What a model has said so far in
//! its present answer is kept in memory, so that whoever comes late or falls behind has all of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

/// Notes a watcher may be behind before it is told anew what was said.
const BEHIND_MAX: usize = 64;

/// The kind of the notes that carry a model's words.
pub const LLM_TOKEN: &str = "llm_token";

/// Something that happens in an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveNote {
    /// The run.
    pub run_id: Uuid,
    /// The step.
    pub path: String,
    /// Which attempt of it.
    pub attempt: u32,
    /// What kind of thing: `llm_token`, `agent_turn`, `tool_start`, `tool_end`.
    pub kind: String,
    /// The rest, by kind. That of `llm_token` is `{turn, offset, text}`: `text` goes behind the first
    /// `offset` characters of the turn.
    pub data: Value,
}

/// What a model has said so far in its present answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which attempt of its step.
    pub attempt: u32,
    /// Which of the attempt's answers.
    pub turn: u64,
    /// The words.
    pub text: String,
    char_count: u64,
}

/// Tells watchers what happens in attempts.
#[derive(Debug, Default)]
pub struct LiveFeed {
    runs: Mutex<HashMap<Uuid, OfRun>>,
}

#[derive(Debug)]
struct OfRun {
    notes: broadcast::Sender<Arc<LiveNote>>,
    /// By step.
    said: BTreeMap<String, Said>,
}

impl OfRun {
    fn new() -> OfRun {
        OfRun { notes: broadcast::channel(BEHIND_MAX).0, said: BTreeMap::new() }
    }

    fn is_needed(&self) -> bool {
        self.notes.receiver_count() > 0 || !self.said.is_empty()
    }

    fn all_said(&self, run_id: Uuid) -> VecDeque<Arc<LiveNote>> {
        let notes = self.said.iter().map(|(path, said)| {
            let data = json!({ "turn": said.turn, "offset": 0, "text": said.text });
            let (path, kind) = (path.clone(), LLM_TOKEN.to_owned());
            Arc::new(LiveNote { run_id, path, attempt: said.attempt, kind, data })
        });
        notes.collect()
    }
}

/// What happens in the attempts of one run, from what is being said on.
#[derive(Debug)]
pub struct LiveSubscription {
    feed: Arc<LiveFeed>,
    run_id: Uuid,
    waiting: VecDeque<Arc<LiveNote>>,
    /// There until it is dropped.
    notes: Option<broadcast::Receiver<Arc<LiveNote>>>,
}

impl LiveFeed {
    /// Watches a run.
    pub fn subscribe(self: &Arc<LiveFeed>, run_id: Uuid) -> LiveSubscription {
        let mut runs = self.runs.lock();
        let run = runs.entry(run_id).or_insert_with(OfRun::new);
        let (waiting, notes) = (run.all_said(run_id), Some(run.notes.subscribe()));
        LiveSubscription { feed: self.clone(), run_id, waiting, notes }
    }

    /// What a model says in a step just now.
    pub fn said(&self, run_id: Uuid, path: &str) -> Option<Said> {
        self.runs.lock().get(&run_id)?.said.get(path).cloned()
    }

    /// Tells of something other than words. An answer that was being given is over.
    pub(crate) fn tell(&self, note: LiveNote) {
        let mut runs = self.runs.lock();
        if let Some(run) = runs.get_mut(&note.run_id) {
            run.said.remove(&note.path);
            // That nobody listens is no error.
            let _ = run.notes.send(Arc::new(note));
        }
    }

    /// Tells of further words of an answer.
    pub(crate) fn say(&self, run_id: Uuid, path: &str, (attempt, turn): (u32, u64), text: &str) {
        let mut runs = self.runs.lock();
        let run = runs.entry(run_id).or_insert_with(OfRun::new);
        let said = run.said.entry(path.to_owned()).or_insert_with(|| Said::new(attempt, turn));
        if (said.attempt, said.turn) != (attempt, turn) {
            *said = Said::new(attempt, turn);
        }
        let data = json!({ "turn": turn, "offset": said.char_count, "text": text });
        said.text.push_str(text);
        said.char_count += u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        let (path, kind) = (path.to_owned(), LLM_TOKEN.to_owned());
        let _ = run.notes.send(Arc::new(LiveNote { run_id, path, attempt, kind, data }));
    }

    /// Forgets what was said in an attempt: it is over, and the journal has what came of it.
    pub(crate) fn ended(&self, run_id: Uuid, path: &str, attempt: u32) {
        let mut runs = self.runs.lock();
        let Some(run) = runs.get_mut(&run_id) else { return };
        if run.said.get(path).is_some_and(|said| said.attempt == attempt) {
            run.said.remove(path);
        }
        if !run.is_needed() {
            runs.remove(&run_id);
        }
    }
}

impl Said {
    fn new(attempt: u32, turn: u64) -> Said {
        Said { attempt, turn, text: String::new(), char_count: 0 }
    }
}

impl LiveSubscription {
    /// Waits for what happens next. Whoever has fallen behind is told again all that is being said.
    pub async fn next(&mut self) -> Arc<LiveNote> {
        loop {
            if let Some(note) = self.waiting.pop_front() {
                return note;
            }
            let Some(notes) = &mut self.notes else { return std::future::pending().await };
            match notes.recv().await {
                Ok(note) => return note,
                Err(RecvError::Closed) => return std::future::pending().await,
                Err(RecvError::Lagged(_)) => {
                    let runs = self.feed.runs.lock();
                    if let Some(run) = runs.get(&self.run_id) {
                        self.waiting = run.all_said(self.run_id);
                        *notes = run.notes.subscribe();
                    }
                }
            }
        }
    }
}

impl Drop for LiveSubscription {
    fn drop(&mut self) {
        let mut runs = self.feed.runs.lock();
        self.notes = None;
        if runs.get(&self.run_id).is_some_and(|run| !run.is_needed()) {
            runs.remove(&self.run_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(note: &LiveNote) -> (u64, String) {
        (note.data["offset"].as_u64().unwrap(), note.data["text"].as_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn whoever_comes_late_has_all_that_was_said() {
        let (feed, run_id) = (Arc::new(LiveFeed::default()), Uuid::from_u128(1));
        feed.say(run_id, "a", (1, 1), "Grüße");
        let mut watching = feed.subscribe(run_id);
        feed.say(run_id, "a", (1, 1), " an alle");
        assert_eq!(words(&*watching.next().await), (0, "Grüße".into()));
        assert_eq!(words(&*watching.next().await), (5, " an alle".into()));
        feed.say(run_id, "a", (1, 2), "Anew");
        assert_eq!(words(&*watching.next().await), (0, "Anew".into()));
        assert_eq!(feed.said(run_id, "a").unwrap().text, "Anew");
        for _ in 0..=BEHIND_MAX {
            feed.say(run_id, "a", (1, 2), "!");
        }
        let (offset, text) = words(&*watching.next().await);
        assert_eq!((offset, text.len()), (0, "Anew".len() + BEHIND_MAX + 1));
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_is_over() {
        let (feed, run_id) = (Arc::new(LiveFeed::default()), Uuid::from_u128(1));
        let watching = feed.subscribe(run_id);
        feed.say(run_id, "a", (2, 1), "Hello");
        feed.ended(run_id, "a", 1);
        assert!(feed.said(run_id, "a").is_some(), "a later attempt speaks");
        feed.ended(run_id, "a", 2);
        assert_eq!(feed.said(run_id, "a"), None);
        drop(watching);
        assert!(feed.runs.lock().is_empty());
    }
}
