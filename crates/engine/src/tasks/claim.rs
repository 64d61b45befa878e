//! Handing tasks over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;
use uuid::Uuid;
use windlass_core::HumanDuration;
use windlass_core::run::{Hold, Refused, TaskAct};

use crate::desk::{Demand, Pick, Scope, TaskRefused, Want};
use crate::engine::Engine;
use crate::shard::{Answer, Command, Input, Report};
use crate::threads::Shared;
use crate::view::{StepView, TaskOf, TaskView};

/// A task in a worker's hands. Its config may hold secrets, so it is never shown whole.
pub struct Claimed {
    /// The task.
    pub task_id: Uuid,
    /// The number of this handing over. It only grows.
    pub fence: u64,
    /// What it is. Nothing, if a node is tried out.
    pub view: Option<TaskView>,
    /// What is to be done, with its secrets; null if it is a unit of work.
    pub config: Arc<Value>,
    /// The kind.
    pub kind: Arc<str>,
    /// How long it is the worker's own without a sign of life.
    pub lease: Duration,
    /// That it is given back unless somebody hears of it.
    unheard: Option<Unheard>,
}

impl Claimed {
    /// The worker is being told of it. One that is dropped before is given back, since nobody would
    /// work on it until its lease has ended.
    pub fn heard(&mut self) {
        if let Some(mut unheard) = self.unheard.take() {
            unheard.is_heard = true;
        }
    }
}

/// A task that its run was asked for. Whoever asked may be gone before the answer is there.
pub struct Unheard {
    shared: Arc<Shared>,
    task_id: Uuid,
    run_id: Uuid,
    path: String,
    by: String,
    /// The handing over, once that is known.
    fence: Option<u64>,
    is_tried: bool,
    is_heard: bool,
}

impl Drop for Unheard {
    fn drop(&mut self) {
        if self.is_heard {
            return;
        }
        let hold = Hold { by: std::mem::take(&mut self.by), fence: self.fence };
        if self.is_tried {
            return self.shared.desk.give_trial_back(self.task_id, &hold);
        }
        // The shard takes this behind the claim, wherever that has come to. Nobody waits for the answer.
        let act = TaskAct::Release { hold };
        let command = Command::Task { path: std::mem::take(&mut self.path), act };
        let (ticket, _) = oneshot::channel();
        let run_id = self.run_id;
        self.shared.send(run_id, Input::Command { run_id, command, ticket });
    }
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed").field("task_id", &self.task_id).finish_non_exhaustive()
    }
}

impl Engine {
    /// Hands tasks over, as soon as there are any; none if there are none for as long as `wait`.
    ///
    /// # Errors
    ///
    /// That too many ask already, or nothing can be written now.
    pub async fn poll_tasks(
        &self,
        scope: &Scope,
        demand: &Demand,
        wait: Duration,
    ) -> Result<Vec<Claimed>, TaskRefused> {
        let deadline = Instant::now() + wait;
        let desk = self.desk();
        let mut polling = desk.begin_poll(scope, demand)?;
        loop {
            // It listens before it looks, so that nothing comes in between.
            if !wait.is_zero() {
                polling.listen();
            }
            // Nothing is handed out while everything stands still. Who waits is woken when it goes on.
            let (picked, later) = match self.halted() {
                Some(_) => (Vec::new(), None),
                None => desk.pick(scope, &demand.wants, demand.max),
            };
            if !picked.is_empty() {
                let claims = picked.into_iter().map(|pick| self.claim(scope, pick, demand));
                let mut claimed = Vec::new();
                let mut trouble = None;
                for result in join_all(claims).await {
                    match result {
                        Ok(task) => claimed.extend(task),
                        Err(refused) => trouble = Some(refused),
                    }
                }
                match trouble {
                    _ if !claimed.is_empty() => return Ok(claimed),
                    Some(refused) => return Err(refused),
                    // What was picked was not to be had. There may be more.
                    None => continue,
                }
            }
            let until = later.map_or(deadline, |later| later.min(deadline));
            let woken = tokio::time::timeout_at(until, polling.wake.notified()).await;
            if woken.is_err() && Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    /// Hands over one task in particular.
    ///
    /// # Errors
    ///
    /// That it is not to be had.
    pub async fn claim_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        (worker, role): (&str, Option<String>),
        lease: Duration,
    ) -> Result<Claimed, TaskRefused> {
        let pick = self.desk().pick_one(scope, task_id, role)?;
        let wants: Vec<Want> = Vec::new();
        let demand = Demand { worker: worker.to_owned(), wants, max: 1, lease };
        self.claim(scope, pick, &demand).await?.ok_or(TaskRefused::LeaseLost(None))
    }

    async fn claim(
        &self,
        scope: &Scope,
        pick: Pick,
        demand: &Demand,
    ) -> Result<Option<Claimed>, TaskRefused> {
        let task_id = pick.task_id;
        // It is dropped before the pick: what is given back is offered again behind that.
        let mut unheard = Unheard {
            shared: self.shared.clone(),
            task_id,
            run_id: pick.run_id,
            path: pick.path.to_string(),
            by: demand.worker.clone(),
            fence: None,
            is_tried: pick.is_tried,
            is_heard: pick.is_tried,
        };
        if pick.is_tried {
            let hold = (demand.worker.as_str(), demand.lease);
            let handed = self.desk().hand_trial(task_id, scope, hold);
            pick.settle();
            let Some((config, fence)) = handed else { return Ok(None) };
            (unheard.fence, unheard.is_heard) = (Some(fence), false);
            let (kind, lease) = (Arc::from(""), demand.lease);
            let unheard = Some(unheard);
            return Ok(Some(Claimed { task_id, fence, view: None, config, kind, lease, unheard }));
        }
        let act = TaskAct::Claim {
            by: demand.worker.clone(),
            role: pick.role.clone(),
            lease: HumanDuration(demand.lease),
        };
        let command = Command::Task { path: pick.path.to_string(), act };
        let answer = self.command(pick.run_id, command).await;
        // What was refused is nobody's. What may have come to be is given back.
        unheard.is_heard = !matches!(answer, Answer::Task(_) | Answer::OutcomeUnknown(_));
        let view = match answer {
            Answer::Task(view) => {
                pick.settle();
                *view
            }
            Answer::Refused(Refused::Paused) => {
                pick.rest();
                return Ok(None);
            }
            // It waits on, for somebody in another role.
            Answer::Refused(refused @ Refused::BadUnit(_)) => {
                return Err(TaskRefused::Refused(refused));
            }
            Answer::Unavailable(message) => return Err(TaskRefused::Unavailable(message)),
            Answer::OutcomeUnknown(message) => return Err(TaskRefused::OutcomeUnknown(message)),
            _ => {
                pick.forget();
                return Ok(None);
            }
        };
        // A guardian may have said no.
        let Some(holder) = view.holder.clone().filter(|holder| holder.by == demand.worker) else {
            unheard.is_heard = true;
            return Ok(None);
        };
        unheard.fence = Some(holder.fence);
        let (config, kind) = match &view.of {
            TaskOf::Unit(_) => (Arc::new(Value::Null), Arc::from("unit")),
            TaskOf::Step(step) => {
                if self.is_at_hand(&view, step).await {
                    unheard.is_heard = true;
                    return Ok(None);
                }
                match self.fill(&view, step).await {
                    Ok((config, mask)) => {
                        self.desk().keep_mask(task_id, holder.fence, scope, Arc::new(mask));
                        (Arc::new(config), step.kind.clone())
                    }
                    Err(error) => {
                        unheard.is_heard = true;
                        let hold = Hold { by: holder.by, fence: Some(holder.fence) };
                        let act = TaskAct::Fail { hold, error };
                        let command = Command::Task { path: view.path.clone(), act };
                        let _ = self.command(view.run_id, command).await;
                        return Ok(None);
                    }
                }
            }
        };
        let (fence, lease) = (holder.fence, demand.lease);
        let (view, unheard) = (Some(view), Some(unheard));
        Ok(Some(Claimed { task_id, fence, view, config, kind, lease, unheard }))
    }

    /// Whether there is an earlier output that may be used: then nobody needs to make it.
    async fn is_at_hand(&self, view: &TaskView, step: &StepView) -> bool {
        let Some(cache) = &step.cache else { return false };
        let now = self.clock().now();
        let store = self.store().clone();
        let found = crate::dispatch::find_cached(&store, &view.project, cache, now).await;
        let Some((run_id, output)) = found else { return false };
        let report = Report::Cached { run_id, output };
        let (run_id, path, attempt) = (view.run_id, view.path.clone(), step.attempt);
        self.shared.send(run_id, Input::Report { run_id, path, attempt, report });
        true
    }
}
