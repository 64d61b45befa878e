//! Nodes that are tried out, outside of any run: a worker makes them like any other task.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::run::{AttemptError, Hold};
use windlass_store::LogStream;

use super::Desk;
use super::queue::Rank;
use super::state::{Entry, Lease, Stands, Tried};
use super::task::{Over, Scope};

/// Lines that are kept of one.
const LINES_MAX: usize = 10_000;

/// A node that is being tried out, for as long as this lives.
pub struct Trial {
    desk: Arc<Desk>,
    task_id: Uuid,
    ended: oneshot::Receiver<Result<Value, AttemptError>>,
    lines: Lines,
}

/// What a worker has written of a node that is tried out.
pub(super) type Lines = Arc<parking_lot::Mutex<Vec<(LogStream, String)>>>;

impl Trial {
    /// What has come of it.
    pub async fn ended(&mut self) -> Result<Value, AttemptError> {
        let ended = (&mut self.ended).await;
        let gone = || windlass_nodes::fail("cancelled", "it was taken off the desk");
        ended.unwrap_or_else(|_| Err(gone()))
    }

    /// What its worker has written by now.
    pub fn lines(&self) -> Vec<(LogStream, String)> {
        std::mem::take(&mut *self.lines.lock())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let mut state = self.desk.state.lock();
        if let Some(entry) = state.take_out(self.task_id) {
            state.remember(self.task_id, entry, Over::Cancelled, Instant::now());
        }
    }
}

impl Desk {
    /// Offers a node to the workers of its kind, outside of any run.
    pub fn try_out(
        self: &Arc<Desk>,
        (task_id, project, kind): (Uuid, &str, &str),
        config: Value,
        now: Time,
    ) -> Trial {
        let (end, ended) = oneshot::channel();
        let lines = Lines::default();
        let queue: (Arc<str>, Arc<str>) =
            (Arc::from(format!("kind:{kind}").as_str()), Arc::from(project));
        let rank = Rank { priority: 0, fairness_key: Arc::from(""), since: now, task_id };
        let entry = Entry {
            run_id: task_id,
            path: Arc::from("test"),
            queue,
            kind: Arc::from(kind),
            rank,
            attempt: 1,
            fence: 0,
            stands: Stands::Ready,
            tried: Some(Box::new(Tried {
                config: Arc::new(config),
                ended: Some(end),
                lines: lines.clone(),
            })),
        };
        self.state.lock().put_in(task_id, entry);
        Trial { desk: self.clone(), task_id, ended, lines }
    }

    /// Hands a node over that is tried out. Answers its config and fence.
    pub(crate) fn hand_trial(
        &self,
        task_id: Uuid,
        scope: &Scope,
        (by, length): (&str, Duration),
    ) -> Option<(Arc<Value>, u64)> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let entry = state.tasks.get_mut(&task_id)?;
        let config = entry.tried.as_ref()?.config.clone();
        entry.fence += 1;
        let fence = entry.fence;
        let hold = Hold { by: by.to_owned(), fence: Some(fence) };
        entry.stands = Stands::Held(Box::new(Lease {
            hold,
            scope: Some(scope.clone()),
            length,
            since: now,
            until: now + length,
            is_lost: false,
            progress: None,
            mask: None,
            line_count: 0,
            has_spoken: false,
            ending: None,
        }));
        state.held.insert(task_id);
        Some((config, fence))
    }

    /// A worker has written something of a node that is tried out.
    pub(crate) fn log_trial(&self, task_id: Uuid, lines: Vec<(LogStream, String)>) {
        let state = self.state.lock();
        let Some(tried) = state.tasks.get(&task_id).and_then(|entry| entry.tried.as_ref()) else {
            return;
        };
        let mut kept = tried.lines.lock();
        let room = LINES_MAX.saturating_sub(kept.len());
        kept.extend(lines.into_iter().take(room));
    }

    /// What has come of a node that is tried out.
    pub(crate) fn end_trial(&self, task_id: Uuid, result: Result<Value, AttemptError>) {
        let mut state = self.state.lock();
        let Some(mut entry) = state.take_out(task_id) else { return };
        if let Some(end) = entry.tried.as_mut().and_then(|tried| tried.ended.take()) {
            // Whoever tried it may have gone.
            let _ = end.send(result);
        }
        state.remember(task_id, entry, Over::Told, Instant::now());
    }

    /// A node that is tried out waits again, if this is who has it.
    pub(crate) fn give_trial_back(&self, task_id: Uuid, hold: &Hold) {
        let mut state = self.state.lock();
        let is_theirs =
            |entry: &Entry| matches!(&entry.stands, Stands::Held(lease) if lease.hold == *hold);
        if state.tasks.get(&task_id).is_some_and(is_theirs) {
            state.restand(task_id, Stands::Ready);
        }
    }

    /// A node that is tried out waits again: it was given back, or lost.
    pub(crate) fn offer_trial_again(&self, task_id: Uuid) {
        self.state.lock().restand(task_id, Stands::Ready);
    }
}
