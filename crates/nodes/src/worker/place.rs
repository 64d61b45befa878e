//! The side of the board where attempts are offered.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::json;
use windlass_core::kinds::Kind;
use windlass_core::run::AttemptError;

use super::board::Board;
use super::state::{Entry, Lease, task_id};
use super::task::{Origin, Over};
use crate::context::{LogSink, Terms};
use crate::node::fail;

/// How often a task may be lost by who holds it before its attempt has failed.
const LOST_COUNT_MAX: u32 = 3;

/// What an executor has waited for.
pub(super) enum Turn {
    Ended(Result<Value, AttemptError>),
    LeaseOver { worker: String },
}

/// An executor's place on the board. Its task is there for as long as this lives.
pub(super) struct Place {
    board: Arc<Board>,
    id: Uuid,
    attempt: u32,
    handed: Arc<Notify>,
    ended: oneshot::Receiver<Result<Value, AttemptError>>,
}

impl Place {
    /// Waits for the task's end, or for that of a lease.
    pub(super) async fn turn(&mut self) -> Turn {
        loop {
            let until = self.board.lease_end(self.id, self.attempt);
            let lease_over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ended = &mut self.ended => return Turn::Ended(ended.unwrap_or_else(|_| {
                    Err(fail("cancelled", "a later attempt of the step has taken its place"))
                })),
                () = self.handed.notified() => {}
                () = lease_over => {
                    if let Some(worker) = self.board.lose(self.id, self.attempt) {
                        return Turn::LeaseOver { worker };
                    }
                }
            }
        }
    }

    /// Offers a task anew whose lease has ended. False if that has happened too often.
    pub(super) fn put_back(&self) -> bool {
        self.board.offer_again(self.id, self.attempt)
    }

    /// Takes the task off the board.
    pub(super) fn leave(&self, how: Over) {
        self.board.state.lock().remove(self.id, self.attempt, how);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave(Over::Cancelled);
    }
}

impl Board {
    /// Offers an attempt.
    pub(super) fn put(
        self: &Arc<Board>,
        kind: Arc<Kind>,
        origin: Origin,
        config: Value,
        logs: LogSink,
        terms: &Terms,
    ) -> Place {
        let (id, attempt) = (task_id(&origin), origin.attempt);
        let (end, ended) = oneshot::channel();
        let handed = Arc::new(Notify::new());
        let mut state = self.state.lock();
        // An earlier attempt that is about to end has no more to say.
        if let Some(earlier) = state.tasks.get(&id).map(|entry| entry.origin.attempt) {
            state.remove(id, earlier, Over::Cancelled);
        }
        state.posted_count += 1;
        let entry = Entry {
            number: state.posted_count,
            kind,
            origin,
            config_bytes: json::size(&config),
            config: Arc::new(config),
            logs,
            line_count: 0,
            deadline: terms.timeout.map(|limit| (limit, Instant::now() + limit)),
            handed_count: 0,
            lost_count: 0,
            release_count: 0,
            last: None,
            lease: None,
            handed: handed.clone(),
            ended: end,
        };
        state.wait_for_worker(id, &entry);
        state.tasks.insert(id, entry);
        drop(state);
        self.posted.notify_waiters();
        Place { board: self.clone(), id, attempt, handed, ended }
    }

    fn lease_end(&self, id: Uuid, attempt: u32) -> Option<Instant> {
        let state = self.state.lock();
        let entry = state.tasks.get(&id).filter(|entry| entry.origin.attempt == attempt)?;
        entry.lease.as_ref().map(|lease| lease.until)
    }

    /// Ends a lease whose time is up. Answers whose it was.
    fn lose(&self, id: Uuid, attempt: u32) -> Option<String> {
        let mut state = self.state.lock();
        let entry = state.tasks.get_mut(&id).filter(|entry| entry.origin.attempt == attempt)?;
        let is_over = |lease: &mut Lease| lease.until <= Instant::now();
        let lease = entry.lease.take_if(is_over)?;
        entry.lost_count += 1;
        Some(lease.hold.worker)
    }

    fn offer_again(&self, id: Uuid, attempt: u32) -> bool {
        let mut state = self.state.lock();
        let entry = state.tasks.get(&id).filter(|entry| entry.origin.attempt == attempt);
        if entry.is_none_or(|entry| entry.lost_count > LOST_COUNT_MAX) {
            return false;
        }
        state.waits_again(id);
        drop(state);
        self.posted.notify_waiters();
        true
    }
}
