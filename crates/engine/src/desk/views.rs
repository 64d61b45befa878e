//! The desk as those see it who look on.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::Time;

use super::Desk;
use super::limits::QueueLimits;
use super::queue::Next;
use super::state::{Entry, Stands, State};
use super::task::Scope;

/// Tasks that are shown of a worker or a queue.
const TASKS_SHOWN_MAX: usize = 100;
/// How far a place in a queue is counted.
pub(super) const AHEAD_MAX: usize = 10_000;

/// Who holds a task.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldView {
    /// The worker.
    pub worker: String,
    /// How often it was handed over.
    pub fence: u64,
    /// For how long it has had it.
    pub since: Duration,
    /// For how long it is its own still.
    pub lease: Duration,
    /// What it has said on the way.
    pub progress: Option<Value>,
}

/// What a task waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskWait {
    /// Its queue.
    pub queue: String,
    /// Who has it. Nobody yet, if this is empty.
    pub held: Option<HeldView>,
    /// How many stand before it, 10,000 at most.
    pub ahead: usize,
    /// How many wait in the queue.
    pub depth: usize,
    /// How many of the queue are out.
    pub held_count: usize,
    /// How much of it may be handed out.
    pub limits: QueueLimits,
    /// Whether that holds it up now.
    pub is_limited: bool,
    /// Whether nothing of its instance is handed out.
    pub is_closed: bool,
    /// How many workers take from the queue and have asked for work of late.
    pub worker_count: usize,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Tasks of different keys take turns.
    pub fairness_key: String,
}

/// A task in a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskLine {
    /// Its id.
    pub task_id: Uuid,
    /// The run.
    pub run_id: Uuid,
    /// The unit or step, as the run calls it.
    pub path: String,
    /// `unit`, or the kind of the step's node.
    pub kind: String,
    /// The higher, the sooner its turn comes.
    pub priority: i32,
    /// Tasks of different keys take turns.
    pub fairness_key: String,
    /// Since when it waits.
    pub since: Time,
    /// Which attempt of a step it is; how often a unit was taken.
    pub attempt: u32,
    /// Who has it.
    pub held: Option<HeldView>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// How many wait in it.
    pub depth: usize,
    /// How many are in somebody's hands.
    pub held_count: usize,
    /// Since when whatever has waited longest waits.
    pub oldest: Option<Time>,
    /// How much of it may be handed out.
    pub limits: QueueLimits,
    /// Whether that holds it up now.
    pub is_limited: bool,
    /// How many workers take from it and have asked for work of late.
    pub worker_count: usize,
}

/// A worker, as others see it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerView {
    /// What it calls itself.
    pub name: String,
    /// The plugin it is the child of.
    pub plugin: Option<String>,
    /// The queues it asked for last.
    pub queues: Vec<String>,
    /// When it was last heard of.
    pub seen: Instant,
    /// Whether it waits for work at this moment.
    pub is_polling: bool,
    /// The tasks it holds, of those who look.
    pub tasks: Vec<TaskLine>,
    /// How many those are in all.
    pub task_count: usize,
}

fn held(entry: &Entry, now: Instant) -> Option<HeldView> {
    let Stands::Held(lease) = &entry.stands else { return None };
    Some(HeldView {
        worker: lease.hold.by.clone(),
        fence: lease.hold.fence.unwrap_or(entry.fence),
        since: now - lease.since,
        lease: lease.until.saturating_duration_since(now),
        progress: lease.progress.clone(),
    })
}

fn line(task_id: Uuid, entry: &Entry, now: Instant) -> TaskLine {
    TaskLine {
        task_id,
        run_id: entry.run_id,
        path: entry.path.to_string(),
        kind: entry.kind.to_string(),
        priority: entry.rank.priority,
        fairness_key: entry.rank.fairness_key.to_string(),
        since: entry.rank.since,
        attempt: entry.attempt,
        held: held(entry, now),
    }
}

impl Desk {
    /// What a task waits for, if it is on the desk.
    pub fn wait_of(&self, task_id: Uuid) -> Option<TaskWait> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let entry = state.tasks.get(&task_id)?;
        let (key, rank, held) = (entry.queue.clone(), entry.rank.clone(), held(entry, now));
        let worker_count = self.workers_of(&state, &key.0, &key.1, now);
        let is_closed = state.is_closed(&key.0);
        let queue = state.queues.get_mut(&key)?;
        let is_limited = matches!(queue.next(now), Next::Full | Next::At(_));
        Some(TaskWait {
            is_closed,
            queue: key.0.to_string(),
            held,
            ahead: queue.ahead_of(&rank, AHEAD_MAX),
            depth: queue.ready_count,
            held_count: queue.held_count,
            limits: queue.limits,
            is_limited,
            worker_count,
            priority: rank.priority,
            fairness_key: rank.fairness_key.to_string(),
        })
    }

    fn workers_of(&self, state: &State, queue: &str, project: &str, now: Instant) -> usize {
        let plugin = queue.strip_prefix("kind:").and_then(|kind| (self.plugins)(kind));
        let is_meant = |scope: &Scope| match scope {
            Scope::Project(own) => own == project,
            Scope::Plugin(name) => plugin.as_ref() == Some(name),
        };
        state.workers.recent(queue, now, is_meant)
    }

    /// Whether a task is a unit of work.
    pub fn is_unit(&self, task_id: Uuid) -> bool {
        self.state.lock().tasks.get(&task_id).is_some_and(|entry| &*entry.kind == "unit")
    }

    /// A task on the desk, of those who look.
    pub fn task(&self, project: &str, task_id: Uuid) -> Option<TaskLine> {
        let state = self.state.lock();
        let entry = state.tasks.get(&task_id).filter(|entry| &*entry.queue.1 == project)?;
        Some(line(task_id, entry, Instant::now()))
    }

    /// The queues of a project that have something in them or out, by name, behind `after`.
    pub fn queues(&self, project: &str, after: Option<&str>, limit: usize) -> Vec<QueueView> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let own = state
            .queues
            .keys()
            .filter(|(name, own)| &**own == project && after.is_none_or(|after| &**name > after));
        let keys: Vec<_> = own.take(limit).cloned().collect();
        let view = |key: &super::state::QueueKey| {
            let worker_count = self.workers_of(&state, &key.0, project, now);
            let queue = state.queues.get_mut(key)?;
            Some(QueueView {
                name: key.0.to_string(),
                depth: queue.ready_count,
                held_count: queue.held_count,
                oldest: queue.oldest(),
                limits: queue.limits,
                is_limited: matches!(queue.next(now), Next::Full | Next::At(_)),
                worker_count,
            })
        };
        keys.iter().filter_map(view).collect()
    }

    /// One queue, and some of what is in it or out of it.
    pub fn queue(&self, project: &str, name: &str) -> Option<(QueueView, Vec<TaskLine>)> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let key = (std::sync::Arc::from(name), std::sync::Arc::from(project));
        let worker_count = self.workers_of(&state, name, project, now);
        let queue = state.queues.get_mut(&key)?;
        let view = QueueView {
            name: name.to_owned(),
            depth: queue.ready_count,
            held_count: queue.held_count,
            oldest: queue.oldest(),
            limits: queue.limits,
            is_limited: matches!(queue.next(now), Next::Full | Next::At(_)),
            worker_count,
        };
        let waiting: Vec<Uuid> = queue.waiting(TASKS_SHOWN_MAX).collect();
        let out = state.held().filter(|(_, entry, _)| entry.queue == key);
        let mut lines: Vec<TaskLine> =
            out.take(TASKS_SHOWN_MAX).map(|(id, entry, _)| line(id, entry, now)).collect();
        lines.sort_by_key(|line| line.task_id);
        let entries = waiting.iter().filter_map(|id| Some((*id, state.tasks.get(id)?)));
        let mut ready: Vec<TaskLine> = entries.map(|(id, entry)| line(id, entry, now)).collect();
        ready.sort_by_key(|line| (-line.priority, line.since, line.task_id));
        lines.extend(ready);
        Some((view, lines))
    }

    /// How many tasks wait in each queue of a project that has any, by name.
    pub fn depths(&self, project: &str) -> std::collections::BTreeMap<String, usize> {
        let state = self.state.lock();
        let own = state.queues.iter().filter(|((_, own), _)| &**own == project);
        own.map(|((name, _), queue)| (name.to_string(), queue.ready_count)).collect()
    }

    /// The first tasks that wait in a queue, in the order in which they are handed out if keys of
    /// fairness did not take turns.
    pub fn waiting(&self, project: &str, name: &str, limit: usize) -> Vec<TaskLine> {
        let state = self.state.lock();
        let now = Instant::now();
        let key = (std::sync::Arc::from(name), std::sync::Arc::from(project));
        let Some(queue) = state.queues.get(&key) else { return Vec::new() };
        let ids = queue.waiting(limit);
        let entries = ids.filter_map(|id| Some(line(id, state.tasks.get(&id)?, now)));
        let mut lines: Vec<TaskLine> = entries.collect();
        lines.sort_by_key(|line| (-line.priority, line.since, line.task_id));
        lines
    }

    /// What somebody of a project has, what they have had longest first.
    pub fn held_by(&self, project: &str, name: &str) -> Vec<TaskLine> {
        let state = self.state.lock();
        let now = Instant::now();
        let own = state.held().filter(|(_, entry, lease)| {
            &*entry.queue.1 == project && lease.hold.by == name && entry.tried.is_none()
        });
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|(id, _, lease)| (lease.since, *id));
        own.into_iter().take(TASKS_SHOWN_MAX).map(|(id, entry, _)| line(id, entry, now)).collect()
    }

    /// The workers that those of a project see: its own, and the children of the server, each with
    /// the tasks of the project that it holds.
    pub fn workers(&self, project: &str) -> Vec<WorkerView> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let mut holders: HashMap<String, (Instant, Vec<TaskLine>)> = HashMap::new();
        for (id, entry, lease) in state.held().filter(|(_, entry, _)| &*entry.queue.1 == project) {
            // The lease began with the last sign of life.
            let heard = lease.until.checked_sub(lease.length).unwrap_or(lease.since);
            let known = holders.entry(lease.hold.by.clone()).or_insert((heard, Vec::new()));
            known.0 = known.0.max(heard);
            known.1.push(line(id, entry, now));
        }
        let seen = state.workers.iter(now).filter(|((scope, _), _)| match scope {
            Scope::Project(own) => own == project,
            Scope::Plugin(_) => true,
        });
        let mut views = Vec::new();
        for ((scope, name), seen) in seen {
            let (_, mut held) = holders.remove(name.as_str()).unwrap_or((now, Vec::new()));
            let task_count = held.len();
            held.sort_by_key(|line| line.task_id);
            held.truncate(TASKS_SHOWN_MAX);
            let plugin = match scope {
                Scope::Plugin(plugin) => Some(plugin.clone()),
                Scope::Project(_) => None,
            };
            views.push(WorkerView {
                name: name.clone(),
                plugin,
                queues: seen.queues.clone(),
                seen: seen.at,
                is_polling: seen.polls > 0,
                tasks: held,
                task_count,
            });
        }
        // People ask for nothing by polling, and after a start nobody has asked yet.
        for (name, (seen, mut tasks)) in holders {
            let task_count = tasks.len();
            tasks.sort_by_key(|line| line.task_id);
            tasks.truncate(TASKS_SHOWN_MAX);
            let (plugin, queues, is_polling) = (None, Vec::new(), false);
            views.push(WorkerView { name, plugin, queues, seen, is_polling, tasks, task_count });
        }
        views.sort_by(|a, b| (&a.plugin, &a.name).cmp(&(&b.plugin, &b.name)));
        views
    }
}
