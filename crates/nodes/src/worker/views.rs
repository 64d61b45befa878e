//! The board as those see it who look on.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::board::Board;
use super::state::{State, id_of};
use super::task::{Held, Origin, Scope, TaskWait, WorkerView};

/// Tasks that are shown of a worker.
const TASKS_SHOWN_MAX: usize = 20;

/// Tasks in the hands of one worker, and for how long still.
type HeldTasks = Vec<(Uuid, Origin, Duration)>;

impl Board {
    /// What the attempt of a step waits for, if it is on the board.
    pub fn wait_of(&self, run_id: Uuid, step: &str) -> Option<TaskWait> {
        let state = self.state.lock();
        let entry = state.tasks.get(&id_of(run_id, step))?;
        let now = Instant::now();
        let plugin = self.plugin_of(&entry.origin.kind);
        let is_meant = |scope: &Scope| match scope {
            Scope::Project(project) => **project == *entry.origin.project,
            Scope::Plugin(name) => plugin == Some(name),
        };
        Some(TaskWait {
            kind: entry.origin.kind.to_string(),
            held: entry.lease.as_ref().map(|lease| Held {
                worker: lease.hold.worker.clone(),
                fence: lease.hold.fence,
                since: now - lease.since,
                lease: lease.until.saturating_duration_since(now),
            }),
            worker_count: state.workers.recent(&entry.origin.kind, now, is_meant),
            lost_count: entry.lost_count,
        })
    }

    /// The workers that those of a project see: its own, and the children of the server, each with
    /// the tasks of the project that it holds.
    pub fn workers(&self, project: &str) -> Vec<WorkerView> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let State { tasks, workers, .. } = &mut *state;
        let mut holders: HashMap<(&Scope, &str), HeldTasks> = HashMap::new();
        let of_project = tasks.iter().filter(|(_, entry)| &*entry.origin.project == project);
        for (id, entry) in of_project {
            let Some(lease) = &entry.lease else { continue };
            let left = lease.until.saturating_duration_since(now);
            let holder = (&lease.scope, lease.hold.worker.as_str());
            holders.entry(holder).or_default().push((*id, entry.origin.clone(), left));
        }
        let seen = workers.iter(now).filter(|((scope, _), _)| match scope {
            Scope::Project(own) => own == project,
            Scope::Plugin(_) => true,
        });
        let mut views = Vec::new();
        for ((scope, name), seen) in seen {
            let mut held = holders.remove(&(scope, name.as_str())).unwrap_or_default();
            let task_count = held.len();
            held.sort_by_key(|(id, _, _)| *id);
            held.truncate(TASKS_SHOWN_MAX);
            let plugin = match scope {
                Scope::Plugin(plugin) => Some(plugin.clone()),
                Scope::Project(_) => None,
            };
            views.push(WorkerView {
                name: name.clone(),
                plugin,
                kinds: seen.kinds.clone(),
                seen: seen.at,
                is_polling: seen.polls > 0,
                tasks: held,
                task_count,
            });
        }
        views.sort_by(|a, b| (&a.plugin, &a.name).cmp(&(&b.plugin, &b.name)));
        views
    }
}
