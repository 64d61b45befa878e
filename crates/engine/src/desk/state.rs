//! What is on the desk, and what was.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::run::{AttemptError, Hold};
use windlass_store::TaskRow;

use super::limits::QueueLimits;
use super::queue::{Queue, Rank};
use super::seen::Workers;
use super::task::{Over, Progress, Said, Scope, TaskRefused};
use crate::dispatch::Mask;
use crate::shard::TaskChange;

/// How long it is known how a task has ended.
const OVER_KEPT: Duration = Duration::from_secs(600);
const OVER_COUNT_MAX: usize = 20_000;

/// A queue's name and project.
pub(super) type QueueKey = (Arc<str>, Arc<str>);

#[derive(Default)]
pub(super) struct State {
    pub(super) tasks: HashMap<Uuid, Entry>,
    /// Those of `tasks` that are in somebody's hands: few, beside all that wait.
    pub(super) held: HashSet<Uuid>,
    /// Those whose run stands still.
    pub(super) resting: HashSet<Uuid>,
    pub(super) queues: BTreeMap<QueueKey, Queue>,
    pub(super) over: HashMap<Uuid, Past>,
    /// Those of `over`, the oldest first.
    pub(super) over_order: VecDeque<(Instant, Uuid)>,
    pub(super) workers: Workers,
    pub(super) polls: HashMap<Scope, usize>,
    /// Who waits for a task, by queue: the projects they take from (all, if none), and how they are
    /// woken.
    pub(super) waiters: HashMap<Arc<str>, VecDeque<Waiter>>,
    pub(super) next_waiter: u64,
    pub(super) limits: Vec<(String, QueueLimits)>,
    /// While rows are still being read: tasks of which something newer is known already.
    pub(super) known: Option<HashSet<Uuid>>,
    /// Instances of which nothing is handed out at present.
    pub(super) closed: HashSet<Uuid>,
    /// Texts that many tasks have in common.
    pub(super) words: HashSet<Arc<str>>,
}

pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) project: Option<Arc<str>>,
    pub(super) wake: Arc<Notify>,
}

pub(super) struct Entry {
    pub(super) run_id: Uuid,
    pub(super) path: Arc<str>,
    pub(super) queue: QueueKey,
    pub(super) kind: Arc<str>,
    pub(super) rank: Rank,
    pub(super) attempt: u32,
    pub(super) fence: u64,
    pub(super) stands: Stands,
    /// What is tried out, outside of any run.
    pub(super) tried: Option<Box<Tried>>,
}

pub(super) enum Stands {
    /// It waits to be taken.
    Ready,
    /// Its run is being asked.
    Claiming,
    /// Somebody has it.
    Held(Box<Lease>),
    /// Its run stands still, and will say when it goes on.
    Resting,
}

pub(super) struct Lease {
    pub(super) hold: Hold,
    pub(super) scope: Option<Scope>,
    pub(super) length: Duration,
    pub(super) since: Instant,
    pub(super) until: Instant,
    /// Whether it has ended, and the run is being told.
    pub(super) is_lost: bool,
    pub(super) progress: Progress,
    pub(super) mask: Option<Arc<Mask>>,
    pub(super) line_count: u64,
    /// Whether somebody who looks on may have been told words of a model.
    pub(super) has_spoken: bool,
    /// What its holder is just saying of it, as the last.
    pub(super) ending: Option<Said>,
}

pub(super) struct Tried {
    pub(super) config: Arc<Value>,
    pub(super) ended: Option<oneshot::Sender<Result<Value, AttemptError>>>,
    pub(super) lines: super::tried::Lines,
}

/// A task that is over, and who held it last.
pub(super) struct Past {
    pub(super) hold: Hold,
    pub(super) how: Over,
    /// What its holder has said, if that has ended it.
    pub(super) said: Option<Said>,
    pub(super) project: Arc<str>,
    at: Instant,
}

/// An attempt in which something was said: run, path, number.
pub(crate) type Spoken = (Uuid, Arc<str>, u32);

impl State {
    /// The fence and the attempt of a task in whose present lease something was said.
    pub(super) fn spoken(&self, task_id: Uuid) -> Option<(Option<u64>, Spoken)> {
        let entry = self.tasks.get(&task_id)?;
        let Stands::Held(lease) = &entry.stands else { return None };
        let spoken = || (lease.hold.fence, (entry.run_id, entry.path.clone(), entry.attempt));
        lease.has_spoken.then(spoken)
    }

    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.words.get(text) {
            return known.clone();
        }
        // Queues of units are many, and each has its own name.
        if self.words.len() > 100_000 {
            self.words.clear();
        }
        let word: Arc<str> = Arc::from(text);
        self.words.insert(word.clone());
        word
    }

    fn limits_of(&self, queue: &str) -> QueueLimits {
        let fits = |name: &str| match name.strip_suffix('*') {
            Some(prefix) => queue.starts_with(prefix),
            None => name == queue,
        };
        let fitting = self.limits.iter().filter(|(name, _)| fits(name));
        fitting.max_by_key(|(name, _)| name.len()).map(|(_, limits)| *limits).unwrap_or_default()
    }

    pub(super) fn queue(&mut self, key: &QueueKey) -> &mut Queue {
        if !self.queues.contains_key(key) {
            let queue = Queue::new(self.limits_of(&key.0), Instant::now());
            self.queues.insert(key.clone(), queue);
        }
        self.queues.get_mut(key).expect("it was inserted if it was missing")
    }

    /// What is said of a task that is not here: that there is none, once all were read.
    pub(super) fn unknown(&self) -> TaskRefused {
        match self.known {
            None => TaskRefused::NotFound,
            Some(_) => TaskRefused::Unavailable("the tasks are still being read".to_owned()),
        }
    }

    /// Whether a queue is one of an instance of which nothing is handed out.
    pub(super) fn is_closed(&self, queue: &str) -> bool {
        let instance = || Uuid::parse_str(queue.split_once('/')?.0).ok();
        !self.closed.is_empty() && instance().is_some_and(|id| self.closed.contains(&id))
    }

    /// Something has become durable about a task.
    pub(super) fn apply(&mut self, change: TaskChange, now: Instant) {
        match change {
            TaskChange::Stands(row) => {
                if let Some(known) = &mut self.known {
                    known.insert(row.task_id);
                }
                self.put(&row, now);
            }
            TaskChange::Over { task_id, how } => {
                if let Some(known) = &mut self.known {
                    known.insert(task_id);
                }
                if let Some(entry) = self.take_out(task_id) {
                    self.remember(task_id, entry, how, now);
                }
            }
            TaskChange::Learned => {}
        }
    }

    /// A task as its row says.
    pub(super) fn put(&mut self, row: &TaskRow, now: Instant) {
        let before = self.take_out(row.task_id);
        let (queue, project) = (self.word(&row.queue), self.word(&row.project));
        let rank = Rank {
            priority: row.priority,
            fairness_key: self.word(&row.fairness_key),
            since: row.offered_at,
            task_id: row.task_id,
        };
        let held_before = match before {
            Some(Entry { stands: Stands::Held(lease), queue, .. }) => Some((lease, queue.1)),
            _ => None,
        };
        let stands = match &row.holder {
            None => Stands::Ready,
            Some(by) => {
                let hold = Hold { by: by.clone(), fence: Some(row.fence) };
                let micros = row.lease_micros.and_then(|it| u64::try_from(it).ok());
                let length = Duration::from_micros(micros.unwrap_or(0));
                let same = |lease: &Lease| lease.hold == hold;
                match held_before {
                    Some((lease, _)) if same(&lease) => {
                        return self.keep(row, (queue, project), rank, lease);
                    }
                    _ => Stands::Held(Box::new(Lease {
                        hold,
                        scope: None,
                        length,
                        since: now,
                        until: now + length,
                        is_lost: false,
                        progress: None,
                        mask: None,
                        line_count: 0,
                        has_spoken: false,
                        ending: None,
                    })),
                }
            }
        };
        if let Some((lease, project)) = held_before
            && lease.ending.is_some()
        {
            self.past(row.task_id, *lease, project, Over::Told, now);
        }
        self.insert(row, (queue, project), rank, stands);
    }

    fn keep(&mut self, row: &TaskRow, key: QueueKey, rank: Rank, lease: Box<Lease>) {
        self.insert(row, key, rank, Stands::Held(lease));
    }

    fn insert(&mut self, row: &TaskRow, key: QueueKey, rank: Rank, stands: Stands) {
        let kind = self.word(&row.kind);
        let entry = Entry {
            run_id: row.run_id,
            path: Arc::from(row.path.as_str()),
            queue: key,
            kind,
            rank,
            attempt: row.attempt,
            fence: row.fence,
            stands,
            tried: None,
        };
        self.put_in(row.task_id, entry);
    }

    /// Puts a task where it stands, and wakes whoever waits for such a one.
    pub(super) fn put_in(&mut self, task_id: Uuid, entry: Entry) {
        let queue = self.queue(&entry.queue);
        match entry.stands {
            Stands::Ready => {
                queue.add(&entry.rank);
                let key = entry.queue.clone();
                self.wake(&key);
            }
            Stands::Claiming => queue.held_count += 1,
            Stands::Held(_) => {
                queue.held_count += 1;
                self.held.insert(task_id);
            }
            Stands::Resting => {
                self.resting.insert(task_id);
            }
        }
        self.tasks.insert(task_id, entry);
    }

    /// Takes a task off the desk.
    pub(super) fn take_out(&mut self, task_id: Uuid) -> Option<Entry> {
        let entry = self.tasks.remove(&task_id)?;
        self.held.remove(&task_id);
        self.resting.remove(&task_id);
        let queue = self.queues.get_mut(&entry.queue)?;
        match entry.stands {
            Stands::Ready => queue.remove(&entry.rank),
            Stands::Claiming | Stands::Held(_) => {
                queue.held_count = queue.held_count.saturating_sub(1);
            }
            Stands::Resting => {}
        }
        if queue.is_unused() {
            self.queues.remove(&entry.queue);
        } else if queue.limits.concurrency.is_some() && queue.ready_count > 0 {
            let key = entry.queue.clone();
            self.wake(&key);
        }
        Some(entry)
    }

    /// Everything that somebody has.
    pub(super) fn held(&self) -> impl Iterator<Item = (Uuid, &Entry, &Lease)> {
        self.held.iter().filter_map(|id| {
            let entry = self.tasks.get(id)?;
            let Stands::Held(lease) = &entry.stands else { return None };
            Some((*id, entry, &**lease))
        })
    }

    pub(super) fn restand(&mut self, task_id: Uuid, stands: Stands) {
        if let Some(entry) = self.take_out(task_id) {
            self.put_in(task_id, Entry { stands, ..entry });
        }
    }

    pub(super) fn remember(&mut self, task_id: Uuid, entry: Entry, how: Over, now: Instant) {
        if let Stands::Held(lease) = entry.stands {
            let how = if lease.ending.is_some() { Over::Told } else { how };
            self.past(task_id, *lease, entry.queue.1, how, now);
        }
    }

    fn past(&mut self, task_id: Uuid, lease: Lease, project: Arc<str>, how: Over, at: Instant) {
        self.over.insert(task_id, Past { hold: lease.hold, how, said: lease.ending, project, at });
        self.over_order.push_back((at, task_id));
        while let Some((ended, old)) = self.over_order.front().copied()
            && (at - ended > OVER_KEPT || self.over_order.len() > OVER_COUNT_MAX)
        {
            self.over_order.pop_front();
            // One that has ended again since is further back.
            if self.over.get(&old).is_some_and(|past| past.at == ended) {
                self.over.remove(&old);
            }
        }
    }

    /// Wakes the first who waits for a task of a queue.
    pub(super) fn wake(&mut self, key: &QueueKey) {
        let Some(waiters) = self.waiters.get_mut(&key.0) else { return };
        let fits = |waiter: &Waiter| waiter.project.as_ref().is_none_or(|one| *one == key.1);
        if let Some(place) = waiters.iter().position(fits)
            && let Some(waiter) = waiters.remove(place)
        {
            waiter.wake.notify_one();
        }
    }
}
