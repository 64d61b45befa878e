//! Picking tasks, and waiting for them.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::Time;

use super::Desk;
use super::queue::Next;
use super::state::{QueueKey, Stands, State, Waiter};
use super::task::{Demand, POLL_COUNT_MAX, Scope, TaskRefused, Want};

/// A task that is being asked of its run. Unless it is settled, it waits again.
pub(crate) struct Pick {
    pub(crate) task_id: Uuid,
    pub(crate) run_id: Uuid,
    pub(crate) path: Arc<str>,
    pub(crate) role: Option<String>,
    pub(crate) is_tried: bool,
    desk: Arc<Desk>,
    is_settled: bool,
}

impl Pick {
    /// Its run says where it stands; nothing is to be put back.
    pub(crate) fn settle(mut self) {
        self.is_settled = true;
    }

    /// There is no such task any more.
    pub(crate) fn forget(mut self) {
        self.is_settled = true;
        let mut state = self.desk.state.lock();
        if state.is_claiming(self.task_id) {
            state.take_out(self.task_id);
        }
    }

    /// Its run stands still.
    pub(crate) fn rest(mut self) {
        self.is_settled = true;
        let mut state = self.desk.state.lock();
        if state.is_claiming(self.task_id) {
            state.restand(self.task_id, Stands::Resting);
        }
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let mut state = self.desk.state.lock();
        if state.is_claiming(self.task_id) {
            state.restand(self.task_id, Stands::Ready);
        }
    }
}

/// A poll that waits, for as long as this lives.
pub(crate) struct Polling {
    desk: Arc<Desk>,
    scope: Scope,
    demand: Demand,
    numbers: Vec<u64>,
    pub(crate) wake: Arc<Notify>,
}

impl Drop for Polling {
    fn drop(&mut self) {
        let mut state = self.desk.state.lock();
        state.workers.ends_poll(&self.scope, &self.demand.worker, Instant::now());
        if let Some(count) = state.polls.get_mut(&self.scope) {
            *count -= 1;
            if *count == 0 {
                state.polls.remove(&self.scope);
            }
        }
        self.leave(&mut state);
        // What it was woken for may wait still.
        for want in &self.demand.wants {
            for key in self.desk.keys_of(&state, &self.scope, want) {
                if state.queues.get(&key).is_some_and(|queue| queue.ready_count > 0) {
                    state.wake(&key);
                }
            }
        }
    }
}

impl Polling {
    fn leave(&self, state: &mut State) {
        for want in &self.demand.wants {
            if let Some(waiters) = state.waiters.get_mut(want.queue.as_str()) {
                waiters.retain(|waiter| !self.numbers.contains(&waiter.number));
                if waiters.is_empty() {
                    state.waiters.remove(want.queue.as_str());
                }
            }
        }
    }

    /// Listens to the queues. It listens before it looks, so that nothing comes in between.
    pub(crate) fn listen(&mut self) {
        let desk = self.desk.clone();
        let mut state = desk.state.lock();
        self.leave(&mut state);
        self.numbers.clear();
        let project = match &self.scope {
            Scope::Project(project) => Some(Arc::from(project.as_str())),
            Scope::Plugin(_) => None,
        };
        for want in &self.demand.wants {
            state.next_waiter += 1;
            let number = state.next_waiter;
            self.numbers.push(number);
            let waiter = Waiter { number, project: project.clone(), wake: self.wake.clone() };
            state.waiters.entry(Arc::from(want.queue.as_str())).or_default().push_back(waiter);
        }
    }
}

impl Desk {
    pub(crate) fn begin_poll(
        self: &Arc<Desk>,
        scope: &Scope,
        demand: &Demand,
    ) -> Result<Polling, TaskRefused> {
        let mut state = self.state.lock();
        let count = state.polls.entry(scope.clone()).or_default();
        if *count >= POLL_COUNT_MAX {
            return Err(TaskRefused::TooManyPolls);
        }
        *count += 1;
        state.workers.begins_poll(scope, demand, Instant::now());
        Ok(Polling {
            desk: self.clone(),
            scope: scope.clone(),
            demand: demand.clone(),
            numbers: Vec::new(),
            wake: Arc::default(),
        })
    }

    /// Hands out nothing of an instance any more, not even to those who ask already.
    pub fn close(&self, instance_id: Uuid) {
        self.state.lock().closed.insert(instance_id);
    }

    /// Hands units of an instance out again.
    pub fn open(&self, instance_id: Uuid) {
        let mut state = self.state.lock();
        state.closed.remove(&instance_id);
        let prefix = format!("{instance_id}/");
        let own = state.queues.iter().filter(|((name, _), _)| name.starts_with(&prefix));
        let waiting: Vec<(QueueKey, usize)> =
            own.map(|(key, queue)| (key.clone(), queue.ready_count)).collect();
        for (key, count) in waiting {
            (0..count.min(POLL_COUNT_MAX)).for_each(|_| state.wake(&key));
        }
    }

    /// What can be taken at this moment; and, if nothing can, from when on that may be otherwise.
    pub(crate) fn pick(
        self: &Arc<Desk>,
        scope: &Scope,
        wants: &[Want],
        max: usize,
    ) -> (Vec<Pick>, Option<Instant>) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let mut picked = Vec::new();
        let mut later = None;
        while picked.len() < max {
            let mut best: Option<(i32, Time, QueueKey, &Want)> = None;
            for want in wants {
                if state.is_closed(&want.queue) {
                    continue;
                }
                for key in self.keys_of(&state, scope, want) {
                    let Some(queue) = state.queues.get_mut(&key) else { continue };
                    match queue.next(now) {
                        Next::Ready(priority, since) => {
                            let is_better = best
                                .as_ref()
                                .is_none_or(|(best, old, ..)| (priority, *old) > (*best, since));
                            if is_better {
                                best = Some((priority, since, key, want));
                            }
                        }
                        Next::At(at) => {
                            later = Some(later.map_or(at, |known: Instant| known.min(at)));
                        }
                        Next::Full | Next::Empty => {}
                    }
                }
            }
            let Some((_, _, key, want)) = best else { break };
            let Some(task_id) = state.queues.get_mut(&key).and_then(|queue| queue.take()) else {
                break;
            };
            let Some(entry) = state.tasks.get_mut(&task_id) else { continue };
            entry.stands = Stands::Claiming;
            picked.push(Pick {
                task_id,
                run_id: entry.run_id,
                path: entry.path.clone(),
                role: want.role.clone(),
                is_tried: entry.tried.is_some(),
                desk: self.clone(),
                is_settled: false,
            });
        }
        (picked, later)
    }

    /// One task in particular, if it waits.
    pub(crate) fn pick_one(
        self: &Arc<Desk>,
        scope: &Scope,
        task_id: Uuid,
        role: Option<String>,
    ) -> Result<Pick, TaskRefused> {
        let mut state = self.state.lock();
        let entry = state.tasks.get(&task_id).ok_or_else(|| state.unknown())?;
        if !self.is_for(scope, &entry.queue, &entry.kind) {
            return Err(TaskRefused::NotFound);
        }
        if !matches!(entry.stands, Stands::Ready | Stands::Resting) {
            return Err(TaskRefused::LeaseLost(None));
        }
        let (run_id, path, is_tried) = (entry.run_id, entry.path.clone(), entry.tried.is_some());
        let key = entry.queue.clone();
        if let Some(queue) = state.queues.get_mut(&key)
            && queue.is_held_up(Instant::now())
        {
            return Err(TaskRefused::Limited);
        }
        state.restand(task_id, Stands::Claiming);
        if let Some(queue) = state.queues.get_mut(&key) {
            queue.spend();
        }
        let desk = self.clone();
        Ok(Pick { task_id, run_id, path, role, is_tried, desk, is_settled: false })
    }

    /// What was not to be had because its run stood still may be so now. If not, its run says so again.
    pub(crate) fn go_on(&self) {
        let mut state = self.state.lock();
        for task_id in std::mem::take(&mut state.resting) {
            state.restand(task_id, Stands::Ready);
        }
        for waiter in state.waiters.values().flatten() {
            waiter.wake.notify_one();
        }
    }

    /// The queues that a wish is about.
    fn keys_of(&self, state: &State, scope: &Scope, want: &Want) -> Vec<QueueKey> {
        match scope {
            Scope::Project(project) => {
                vec![(Arc::from(want.queue.as_str()), Arc::from(project.as_str()))]
            }
            Scope::Plugin(_) => {
                let from: QueueKey = (Arc::from(want.queue.as_str()), Arc::from(""));
                let projects = state.queues.range(from..);
                let same = projects.take_while(|((queue, _), _)| **queue == *want.queue);
                same.map(|(key, _)| key.clone()).collect()
            }
        }
    }

    /// Whether a task is for those of a scope.
    pub(super) fn is_for(&self, scope: &Scope, queue: &QueueKey, kind: &str) -> bool {
        match scope {
            Scope::Project(project) => **project == *queue.1,
            Scope::Plugin(plugin) => (self.plugins)(kind).as_ref() == Some(plugin),
        }
    }

    pub(super) fn is_for_project(&self, scope: &Scope, project: &str) -> bool {
        match scope {
            Scope::Project(own) => own == project,
            Scope::Plugin(_) => true,
        }
    }
}

impl State {
    fn is_claiming(&self, task_id: Uuid) -> bool {
        self.tasks.get(&task_id).is_some_and(|entry| matches!(entry.stands, Stands::Claiming))
    }
}
