//! Runs that an attempt asks for in the middle of its work, unlike a step of the kind `workflow`, which
//! is nothing else.
//!
//! Such a run is created under an idempotency key that follows from run, step and wish, so asking
//! twice asks for the same one. It names the step as its parent, but the step knows nothing of it: the
//! attempt waits for it, and cancels it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::Failure;
use windlass_core::limits::SUB_RUN_DEPTH_MAX;
use windlass_core::run::{AttemptError, CreateRun, Fact, Parent, RunStatus};
use windlass_nodes::{KnownWorkflow, WantedRun, Workflows, fail, retry};
use windlass_store::{IdempotencyKey, RunRow, Store, StoreError};

use crate::definitions::{DefinitionError, Workflow, content_hash};
use crate::engine::hash_of;
use crate::feed::News;
use crate::ids::new_id_for_shard;
use crate::shard::{Answer, AttemptOrder, Command, Create, Input};
use crate::threads::{Shared, ToShard};

/// How long a run is asked for while the store takes no writes.
const ASK_TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(200);
/// How long is waited for the feed before the store is asked whether the end was missed.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What one attempt may ask for.
pub(super) struct OfAttempt {
    pub(super) shared: Arc<Shared>,
    pub(super) order: Arc<AttemptOrder>,
}

impl fmt::Debug for OfAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfAttempt").field("step", &self.order.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl Workflows for OfAttempt {
    async fn describe(
        &self,
        workflow: &str,
        version: Option<u32>,
    ) -> Result<KnownWorkflow, AttemptError> {
        let found = self.find(workflow, version).await?;
        Ok(KnownWorkflow {
            name: found.row.name.clone(),
            description: found.row.description.clone(),
            input: found.plan.input.as_ref().map(|schema| schema.source().clone()),
        })
    }

    async fn start(&self, wanted: WantedRun) -> Result<Uuid, AttemptError> {
        let workflow = self.find(&wanted.workflow, wanted.version).await?;
        let depth = self.depth().await?;
        if depth > SUB_RUN_DEPTH_MAX {
            return Err(fail("too_deep", format!("runs nest deeper than {SUB_RUN_DEPTH_MAX}")));
        }
        let began = tokio::time::Instant::now();
        loop {
            match self.create(&workflow, &wanted, depth).await {
                Answer::Run(run) => return Ok(run.run_id),
                Answer::Existing { run_id, .. } => return Ok(run_id),
                Answer::Refused(refused) => return Err(fail("child_refused", refused.to_string())),
                // The key sees to it that it is created once, however often it is asked for.
                Answer::Unavailable(_) | Answer::OutcomeUnknown(_)
                    if began.elapsed() < ASK_TIME_MAX =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                Answer::Unavailable(message) | Answer::OutcomeUnknown(message) => {
                    return Err(retry("unavailable", message));
                }
                _ => return Err(retry("unavailable", "the run cannot be created now")),
            }
        }
    }

    async fn wait(&self, run_id: Uuid) -> Result<Value, AttemptError> {
        let mut news = self.shared.feed.subscribe(run_id);
        loop {
            let ended = self.read(move |store| ended(store, run_id)).await?;
            if let Some(result) = ended {
                return result.map_err(|failure| AttemptError::new(failure, true));
            }
            let its_end = async {
                while let News::Published(published) = news.next().await
                    && !published.is_over
                {}
            };
            // The feed is a hint. A run that has ended is asked for anew in any case.
            let _ = tokio::time::timeout(LOOK_AGAIN, its_end).await;
        }
    }

    async fn cancel(&self, run_id: Uuid) {
        let by = format!("run {}", self.order.run_id);
        let reason = format!("the step `{}` that asked for it was stopped", self.order.path);
        let (ticket, answer) = oneshot::channel();
        let command = Command::Cancel { by, reason: Some(reason) };
        self.shared.send(run_id, Input::Command { run_id, command, ticket });
        let _ = answer.await;
    }
}

impl OfAttempt {
    async fn find(&self, word: &str, version: Option<u32>) -> Result<Arc<Workflow>, AttemptError> {
        let (shared, project) = (self.shared.clone(), self.order.project.clone());
        let wanted = word.to_owned();
        let find = move || shared.definitions.version(&project, &wanted, version);
        let found = tokio::task::spawn_blocking(find).await;
        match found.map_err(|error| retry("unavailable", error.to_string()))? {
            Ok(Some(workflow)) => Ok(workflow),
            Ok(None) => {
                let message = match version {
                    None => format!("there is no workflow `{word}`"),
                    Some(version) => {
                        format!("there is no version {version} of a workflow `{word}`")
                    }
                };
                Err(fail("workflow_not_found", message))
            }
            Err(DefinitionError::Store(error)) => Err(retry("unavailable", error.to_string())),
            Err(error) => Err(fail("child_refused", error.to_string())),
        }
    }

    /// How many runs are above the one that is wanted.
    async fn depth(&self) -> Result<u32, AttemptError> {
        let run_id = self.order.run_id;
        let row = self.read(move |store| row_of(store, run_id)).await?;
        Ok(row.and_then(|row| row.parent).map_or(0, |parent| parent.depth) + 1)
    }

    async fn create(&self, workflow: &Workflow, wanted: &WantedRun, depth: u32) -> Answer {
        let Workflow { row, plan } = workflow;
        let AttemptOrder { run_id: parent, path, project, trigger_depth, .. } = &*self.order;
        let key = IdempotencyKey {
            route: format!("step/{parent}/{path}"),
            key: wanted.key.clone(),
            request_hash: content_hash(&wanted.input),
        };
        let shard_count = self.shared.shards.len();
        // The shard of the key's hash finds the run of an earlier wish.
        let shard = hash_of(&key.key) % shard_count;
        let (ticket, answer) = oneshot::channel();
        let create = Create {
            project: project.clone(),
            plan: plan.clone(),
            request: CreateRun {
                unit: None,
                run_id: new_id_for_shard(self.shared.clock.now(), shard, shard_count),
                workflow_id: row.workflow_id,
                version: row.version,
                definition_id: row.definition_id,
                input: wanted.input.clone(),
                by: Some(format!("run {parent}")),
                parent: Some(Parent { run_id: *parent, step: path.clone(), depth, awaited: false }),
                trigger_depth: *trigger_depth,
                held: row.pause.is_some() || self.shared.halted.lock().is_some(),
                ..CreateRun::default()
            },
            key: Some(key),
            until_over: false,
            paused_by: None,
            message: None,
            ticket: Some(ticket),
        };
        let _ = self.shared.shards[shard].send(ToShard::Input(Input::Create(vec![create])));
        answer.await.unwrap_or_else(|_| Answer::Unavailable("the server is going down".to_owned()))
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AttemptError> {
        let store = self.shared.store.clone();
        let read = tokio::task::spawn_blocking(move || work(&*store)).await;
        let read = read.map_err(|error| retry("unavailable", error.to_string()))?;
        read.map_err(|error| retry("unavailable", error.to_string()))
    }
}

fn row_of(store: &dyn Store, run_id: Uuid) -> Result<Option<RunRow>, StoreError> {
    Ok(store.overview(run_id, 0)?.map(|overview| overview.row))
}

/// How a run has ended, if it has.
fn ended(store: &dyn Store, run_id: Uuid) -> Result<Option<Result<Value, Failure>>, StoreError> {
    let details = json!({ "run_id": run_id });
    let Some(row) = row_of(store, run_id)? else {
        let message = format!("the run {run_id} was deleted");
        return Ok(Some(Err(Failure::new("child_failed", message).with(details))));
    };
    let workflow = &row.workflow;
    Ok(match row.status {
        RunStatus::Succeeded => {
            let last = store.events_at(run_id, &[row.last_seq])?.pop();
            let output = last.and_then(|event| match event.event.fact {
                Fact::RunSucceeded { output } => Some((*output).clone()),
                _ => None,
            });
            Some(Ok(output.unwrap_or_default()))
        }
        RunStatus::Cancelled => {
            let message = format!("the run {run_id} of `{workflow}` was cancelled");
            Some(Err(Failure::new("child_cancelled", message).with(details)))
        }
        RunStatus::Failed => {
            let why = row.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            let message = format!("the run {run_id} of `{workflow}` failed{why}");
            Some(Err(Failure::new("child_failed", message).with(details)))
        }
        _ => None,
    })
}
