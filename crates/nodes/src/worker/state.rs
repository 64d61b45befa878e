//! What is on the board, and what was.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::json;
use windlass_core::kinds::Kind;
use windlass_core::run::AttemptError;

use super::seen::Workers;
use super::task::{Hold, Origin, Over, Scope};
use crate::context::LogSink;

/// How long it is known how a task has ended.
const OVER_KEPT: Duration = Duration::from_secs(600);
const OVER_COUNT_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct State {
    pub(super) tasks: HashMap<Uuid, Entry>,
    /// Tasks that nobody holds, in the order in which they came, by kind and project.
    pub(super) ready: BTreeMap<(Arc<str>, Arc<str>), BTreeMap<u64, Uuid>>,
    pub(super) posted_count: u64,
    pub(super) over: HashMap<Uuid, Past>,
    /// Those of `over`, the oldest first.
    pub(super) over_order: VecDeque<(Instant, Uuid)>,
    pub(super) workers: Workers,
    pub(super) polls: HashMap<Scope, usize>,
}

pub(super) struct Entry {
    /// Its place among those that wait.
    pub(super) number: u64,
    pub(super) kind: Arc<Kind>,
    pub(super) origin: Origin,
    pub(super) config: Arc<Value>,
    pub(super) config_bytes: usize,
    pub(super) logs: LogSink,
    pub(super) line_count: u64,
    pub(super) deadline: Option<(Duration, Instant)>,
    pub(super) handed_count: u64,
    pub(super) lost_count: u32,
    pub(super) release_count: u32,
    pub(super) last: Option<Hold>,
    pub(super) lease: Option<Lease>,
    /// Wakes the executor when the task is handed over.
    pub(super) handed: Arc<Notify>,
    pub(super) ended: oneshot::Sender<Result<Value, AttemptError>>,
}

pub(super) struct Lease {
    pub(super) scope: Scope,
    pub(super) hold: Hold,
    pub(super) length: Duration,
    pub(super) since: Instant,
    pub(super) until: Instant,
}

/// A task that is over, and who held it last.
pub(super) struct Past {
    pub(super) hold: Hold,
    pub(super) how: Over,
    pub(super) origin: Origin,
    pub(super) at: Instant,
}

impl State {
    pub(super) fn wait_for_worker(&mut self, id: Uuid, entry: &Entry) {
        self.ready.entry(place_of(&entry.origin)).or_default().insert(entry.number, id);
    }

    pub(super) fn waits_again(&mut self, id: Uuid) {
        if let Some((place, number)) =
            self.tasks.get(&id).map(|entry| (place_of(&entry.origin), entry.number))
        {
            self.ready.entry(place).or_default().insert(number, id);
        }
    }

    pub(super) fn no_longer_waits(&mut self, place: &(Arc<str>, Arc<str>), number: u64) {
        if let Some(tasks) = self.ready.get_mut(place) {
            tasks.remove(&number);
            if tasks.is_empty() {
                self.ready.remove(place);
            }
        }
    }

    /// What a task was that is over.
    pub(super) fn past_of(&self, id: Uuid) -> Option<Origin> {
        self.over.get(&id).map(|past| past.origin.clone())
    }

    /// Takes a task off the board. It is remembered for whoever held it last.
    pub(super) fn remove(&mut self, id: Uuid, attempt: u32, how: Over) -> Option<Entry> {
        self.tasks.get(&id).filter(|entry| entry.origin.attempt == attempt)?;
        let entry = self.tasks.remove(&id)?;
        self.no_longer_waits(&place_of(&entry.origin), entry.number);
        let at = Instant::now();
        if let Some(hold) = entry.last.clone() {
            self.over.insert(id, Past { hold, how, origin: entry.origin.clone(), at });
            self.over_order.push_back((at, id));
        }
        while let Some((ended, old)) = self.over_order.front().copied()
            && (at - ended > OVER_KEPT || self.over_order.len() > OVER_COUNT_MAX)
        {
            self.over_order.pop_front();
            // One that has ended again since is further back.
            if self.over.get(&old).is_some_and(|past| past.at == ended) {
                self.over.remove(&old);
            }
        }
        Some(entry)
    }
}

pub(super) fn place_of(origin: &Origin) -> (Arc<str>, Arc<str>) {
    (origin.kind.clone(), origin.project.clone())
}

pub(super) fn task_id(origin: &Origin) -> Uuid {
    id_of(origin.run_id, &origin.step)
}

/// A step's task has the same id for every attempt and on every server, so that one who comes too
/// late, even after a restart, is told by the fence rather than by an id that nobody knows.
pub(super) fn id_of(run_id: Uuid, step: &str) -> Uuid {
    let hash = json::sha256(&Value::from(format!("{run_id}/{step}")));
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let digits = hash.get(index * 2..index * 2 + 2).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
