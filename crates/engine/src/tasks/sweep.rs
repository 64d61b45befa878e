//! Taking back what lost its heartbeat.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::run::TaskAct;

use crate::desk::Expired;
use crate::engine::Engine;
use crate::shard::{Answer, Command};

/// Runs that are told at once.
const AT_ONCE: usize = 256;

/// A run that is being told that a lease has ended. Unless it was, it is told again.
struct Telling<'e> {
    engine: &'e Engine,
    task_id: Uuid,
    is_told: bool,
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        if !self.is_told {
            self.engine.desk().sweep_again(self.task_id);
        }
    }
}

impl Engine {
    /// Takes back what lost its heartbeat. Answers how many that were.
    pub async fn sweep_tasks(&self) -> usize {
        self.desk().go_on();
        self.take_back(self.desk().sweep(Instant::now())).await.len()
    }

    /// The same at once, and besides that every unit of work of a project whose holder has been silent
    /// for so long. Answers how many units of the project that were.
    pub async fn sweep_silent(&self, project: &str, silent_for: Duration) -> usize {
        let expired = self.desk().sweep_silent(Instant::now(), project, silent_for);
        let taken = self.take_back(expired).await;
        taken.iter().filter(|one| *one.kind == *"unit" && *one.project == *project).count()
    }

    /// Tells runs of leases that have ended. Answers those that were told.
    async fn take_back(&self, expired: Vec<Expired>) -> Vec<Expired> {
        let told = expired.into_iter().map(|expired| async move {
            let mut telling = Telling { engine: self, task_id: expired.task_id, is_told: false };
            tracing::warn!(
                task.id = %expired.task_id, run.id = %expired.run_id, actor = %expired.holder,
                queue = %expired.queue, "Zombie Actor Detected - Reclaiming Token"
            );
            let act = TaskAct::Lost { fence: expired.fence };
            let command = Command::Task { path: expired.path.to_string(), act };
            match self.command(expired.run_id, command).await {
                Answer::Unavailable(_) | Answer::OutcomeUnknown(_) => None,
                // There is nothing left to take back: the run knows of no such lease.
                Answer::NoSuchRun | Answer::Refused(_) | Answer::Broken(_) => {
                    telling.is_told = true;
                    self.desk().drop_lost(expired.task_id);
                    None
                }
                _ => {
                    telling.is_told = true;
                    self.desk().reclaimed();
                    Some(expired)
                }
            }
        });
        let told = futures_util::stream::iter(told).buffer_unordered(AT_ONCE);
        told.filter_map(std::future::ready).collect().await
    }
}
