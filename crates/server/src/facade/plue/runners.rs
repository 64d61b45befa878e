//! The runners of a pool, as far as they have been heard of. A runner that is not known registers
//! anew, so nothing is lost with the process.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::Handed;

/// A runner that was not heard of for so long is gone.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// Runners that are remembered.
const RUNNERS_MAX: usize = 10_000;

/// Runners by project and name.
#[derive(Debug, Default)]
pub(crate) struct Runners {
    by_name: Mutex<HashMap<(String, String), Runner>>,
}

#[derive(Debug)]
struct Runner {
    heard_at: Instant,
    /// What it took last.
    task: Option<Handed>,
}

impl Runners {
    /// A runner registers, and knows nothing of what it had before.
    pub(super) fn register(&self, project: &str, name: &str) {
        self.put(project, name, None);
    }

    /// A runner has taken a task.
    pub(super) fn takes(&self, project: &str, name: &str, task: Handed) {
        self.put(project, name, Some(task));
    }

    fn put(&self, project: &str, name: &str, task: Option<Handed>) {
        let now = Instant::now();
        let mut all = self.by_name.lock();
        let key = (project.to_owned(), name.to_owned());
        if all.len() >= RUNNERS_MAX && !all.contains_key(&key) {
            all.retain(|_, runner| now - runner.heard_at < GONE_AFTER);
            // One of those that are left has to register anew.
            if all.len() >= RUNNERS_MAX
                && let Some(oldest) = all.iter().min_by_key(|(_, one)| one.heard_at)
            {
                let oldest = oldest.0.clone();
                all.remove(&oldest);
            }
        }
        all.insert(key, Runner { heard_at: now, task });
    }

    /// A runner is alive. Answers whether it was heard of before, and not too long ago.
    pub(super) fn heard(&self, project: &str, name: &str) -> bool {
        let now = Instant::now();
        let mut all = self.by_name.lock();
        let key = (project.to_owned(), name.to_owned());
        let Some(runner) = all.get_mut(&key) else { return false };
        if now - runner.heard_at >= GONE_AFTER {
            all.remove(&key);
            return false;
        }
        runner.heard_at = now;
        true
    }

    /// Who took a task, if they have taken nothing since.
    pub(super) fn had(&self, project: &str, task: Handed) -> Option<String> {
        let all = self.by_name.lock();
        let found =
            all.iter().find(|((own, _), runner)| own == project && runner.task == Some(task));
        found.map(|((_, name), _)| name.clone())
    }
}
