//! Why a run does not move: what the run itself knows, what the gate knows, and what the dispatcher
//! knows.

use std::sync::Arc;

use uuid::Uuid;
use windlass_core::run::{Because, Reused, RunWhy};
use windlass_store::StoreError;

use crate::desk::TaskWait;
use crate::dispatch::Queue;
use crate::engine::Engine;
use crate::gate::Waiting;
use crate::halt::Halt;
use crate::load;
use crate::shard::{Answer, Command, Found, step_task_id};

/// Why a run does not move.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// What the run itself knows.
    pub run: RunWhy,
    /// Who has stopped everything.
    pub halt: Option<Halt>,
    /// What it waits for before it begins.
    pub admission: Option<Waiting>,
    /// Of attempts that wait for their turn within the limit of their kind, by step.
    pub queues: Vec<(String, Queue)>,
    /// Of steps that workers make and of units of work, who does or could, by path.
    pub tasks: Vec<(String, TaskWait)>,
}

impl Engine {
    /// Why a run, or one step of it, does not move. The same sets are read by which it is driven.
    ///
    /// # Errors
    ///
    /// Every other [`Answer`], such as [`Answer::NoSuchRun`].
    pub async fn why(&self, run_id: Uuid, step: Option<String>) -> Result<Why, Answer> {
        let run = match self.command(run_id, Command::Why { step }).await {
            Answer::Why(why) => *why,
            other => return Err(other),
        };
        let is_attempt =
            |because: &Because| matches!(because, Because::Attempt { since: None, .. });
        let attempts = run.steps.iter().filter(|step| is_attempt(&step.because));
        let queues = attempts.filter_map(|step| {
            let queue = self.dispatcher.queue_of(run_id, &step.path)?;
            Some((step.path.clone(), queue))
        });
        let queues = queues.collect();
        let steps = run.steps.iter().map(|step| (&step.path, step_task_id(run_id, &step.path)));
        let units = run.units.iter().map(|unit| (&unit.path, unit.id));
        let tasks = steps.chain(units);
        let waits = |(path, id): (&String, Uuid)| Some((path.clone(), self.desk().wait_of(id)?));
        let tasks = tasks.filter_map(waits).collect();
        let admission = self.shared.gate.lock().why(run_id);
        Ok(Why { run, halt: self.halted(), admission, queues, tasks })
    }

    /// What another run may take over from one that is over, see
    /// [`RunState::reusable`](windlass_core::run::RunState::reusable).
    ///
    /// # Errors
    ///
    /// If the run cannot be read, [`Answer::NoSuchRun`], or [`Answer::Refused`].
    pub async fn reusable(
        &self,
        run_id: Uuid,
        from: Option<String>,
    ) -> Result<std::collections::BTreeMap<String, Reused>, Answer> {
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || {
            load::find(&*shared.store, &shared.definitions, run_id, shared.epoch)
        });
        let found =
            read.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())));
        match found {
            Ok(Found::Run(run)) => {
                run.state.reusable(&run.plan, from.as_deref()).map_err(Answer::Refused)
            }
            Ok(Found::Nothing) => Err(Answer::NoSuchRun),
            Ok(Found::Broken(message)) => Err(Answer::Broken(message)),
            Err(error) => Err(Answer::Unavailable(error.to_string())),
        }
    }
}
