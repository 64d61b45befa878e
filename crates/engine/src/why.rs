//! Why a run does not move: what the run itself knows, what the gate knows, and what the dispatcher
//! knows.

use std::sync::Arc;

use uuid::Uuid;
use windlass_core::run::{Because, Reused, RunWhy};
use windlass_nodes::worker::TaskWait;
use windlass_store::StoreError;

use crate::dispatch::Queue;
use crate::engine::Engine;
use crate::gate::Waiting;
use crate::halt::Halt;
use crate::load;
use crate::shard::{Answer, Command, Found};

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
    /// Of attempts that workers make, who does or could, by step.
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
        let tasks = run.steps.iter().filter_map(|step| {
            let task = self.dispatcher.task_of(run_id, &step.path)?;
            Some((step.path.clone(), task))
        });
        let tasks = tasks.collect();
        let admission = self.shared.gate.lock().why(run_id);
        Ok(Why { run, halt: self.halted(), admission, queues, tasks })
    }

    /// Waits until what has come of an attempt is durable, or known to count for nothing. `success` is
    /// what has come of it.
    ///
    /// # Errors
    ///
    /// If nobody knows whether it is.
    pub async fn settled(
        &self,
        run_id: Uuid,
        path: &str,
        attempt: u32,
        success: bool,
    ) -> Result<(), Answer> {
        self.dispatcher.until_reported(run_id, path, attempt).await;
        // The shard has been told, so this answer comes with the commit of what it was told.
        let path = path.to_owned();
        match self.dispatcher.command(run_id, Command::Settled { path, attempt, success }).await {
            answer @ (Answer::Unavailable(_) | Answer::OutcomeUnknown(_)) => Err(answer),
            Answer::Refused(_) => {
                let message = "it went with a commit that failed; the step will be made again";
                Err(Answer::OutcomeUnknown(message.to_owned()))
            }
            _ => Ok(()),
        }
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
