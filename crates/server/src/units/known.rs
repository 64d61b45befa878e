use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use super::Instance;

/// Instances that are remembered, each with its plan: as many as the engine keeps plans.
const INSTANCES_MAX: usize = 4_096;
/// Actors that are remembered.
const ACTORS_MAX: usize = 100_000;

/// Instances that were asked for, and actors that were let in, so that not every claim asks the store.
/// This process alone writes them, and forgets what it changes.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By project and word.
    instances: Mutex<HashMap<(String, String), Instance>>,
    actors: Mutex<HashSet<Entered>>,
    /// Who is told nothing, and as of which count of what was learned that is so.
    blank: Mutex<(u64, HashSet<Remembering>)>,
    /// How often something was forgotten: what was read before the last time is not remembered.
    changes: AtomicU64,
}

/// An instance, the name of a role, and an actor.
type Remembering = (Uuid, String, Uuid);

/// Instance, role and actor.
type Entered = (Uuid, Uuid, Uuid);

impl Known {
    pub(super) fn instance(&self, project: &str, word: &str) -> Option<Instance> {
        // A look-up by borrowed parts is not possible in a map of pairs; the copies are short.
        self.instances.lock().get(&(project.to_owned(), word.to_owned())).cloned()
    }

    /// Taken before the store is read for what is to be remembered.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn keep(&self, (project, word): (&str, &str), instance: &Instance, changes: u64) {
        let mut instances = self.instances.lock();
        if self.changes() != changes {
            return;
        }
        if instances.len() >= INSTANCES_MAX {
            instances.clear();
        }
        instances.insert((project.to_owned(), word.to_owned()), instance.clone());
    }

    pub(super) fn is_let_in(&self, instance: Uuid, role: Uuid, actor: Uuid) -> bool {
        self.actors.lock().contains(&(instance, role, actor))
    }

    pub(super) fn let_in(&self, entered: Entered, changes: u64) {
        let mut actors = self.actors.lock();
        if self.changes() != changes {
            return;
        }
        if actors.len() >= ACTORS_MAX {
            actors.clear();
        }
        actors.insert(entered);
    }

    /// Whether it is known that a role remembers nothing for an actor, and nothing was learned since.
    pub(super) fn is_blank(&self, learned: u64, whose: &Remembering) -> bool {
        let blank = self.blank.lock();
        blank.0 == learned && blank.1.contains(whose)
    }

    /// A role remembers nothing for an actor. The count is of before the store was asked.
    pub(super) fn keep_blank(&self, learned: u64, whose: Remembering) {
        let mut blank = self.blank.lock();
        if blank.0 < learned || blank.1.len() >= ACTORS_MAX {
            *blank = (blank.0.max(learned), HashSet::new());
        }
        if blank.0 == learned {
            blank.1.insert(whose);
        }
    }

    /// Where an instance stands, or who may act in it, has changed; or there is a new one of its name.
    pub(crate) fn forget(&self, instance: Uuid) {
        let mut actors = self.actors.lock();
        let mut instances = self.instances.lock();
        self.changes.fetch_add(1, Ordering::AcqRel);
        actors.retain(|(of, _, _)| *of != instance);
        instances.clear();
    }
}
