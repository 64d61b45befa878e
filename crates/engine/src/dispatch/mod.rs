//! Making attempts: a task for each, within limits, with its secrets, its log lines and its time.
//!
//! The dispatcher only carries out orders. Of the database it reads what an attempt may use again, what
//! its calls may still take, and the runs that it asks for; what comes of an attempt it reports to the
//! shard that the run belongs to.

mod attempt;
mod cache;
mod ledger;
mod live;
mod mask;
mod meter;
mod records;
mod secrets;
mod workflows;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};
use uuid::Uuid;
use windlass_core::Budget;
use windlass_core::run::Fact;
use windlass_nodes::llm::LlmSettings;
use windlass_nodes::{HttpClient, PromptSettings, Registry, ShellSettings, StopReason};

pub(crate) use cache::find as find_cached;
pub use mask::Mask;
pub use secrets::{SecretSource, fill_secrets};

use self::ledger::Ledger;
use crate::gate::HOLDERS_SHOWN_MAX;
use crate::shard::{Answer, AttemptOrder, Command, Published, Report};
use crate::threads::Shared;

/// What attempts need.
#[derive(Clone)]
pub struct DispatchConfig {
    /// How attempts of each kind are made.
    pub registry: Arc<Registry>,
    /// For requests to elsewhere.
    pub http: Arc<HttpClient>,
    /// For child processes.
    pub shell: Arc<ShellSettings>,
    /// For language models.
    pub llm: Arc<LlmSettings>,
    /// For prompt files.
    pub prompts: Arc<PromptSettings>,
    /// Where secrets are looked up.
    pub secrets: Arc<dyn SecretSource>,
    /// How much the calls of a project to models may take, by project.
    pub budgets: HashMap<String, Vec<Budget>>,
    /// Attempts of a kind at the same time, at most, for the kinds that have a limit.
    pub limits: HashMap<String, usize>,
}

impl fmt::Debug for DispatchConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatchConfig").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Takes what an attempt has to say to the shard of its run.
pub(crate) type Reporter = Arc<dyn Fn(Uuid, String, u32, Report) + Send + Sync>;

/// Tells the shard of a run something, and whoever waits what has come of it.
pub(crate) type Commander = Arc<dyn Fn(Uuid, Command) -> oneshot::Receiver<Answer> + Send + Sync>;

pub(crate) struct Dispatcher {
    config: DispatchConfig,
    runtime: Handle,
    ledger: Ledger,
    shared: Arc<Shared>,
    reporter: Reporter,
    commander: Commander,
    limits: HashMap<String, Arc<Semaphore>>,
    running: Mutex<Attempts>,
    /// How many tasks there are, for whoever waits for all of them. A task is counted until it has
    /// let go of everything, the dispatcher and with it the store included.
    task_count: watch::Sender<usize>,
}

#[derive(Default)]
struct Attempts {
    by_step: HashMap<(Uuid, String), Running>,
    /// Set once all attempts have been asked to end. None begins after that.
    is_closed: bool,
    /// How many were released so far.
    released: u64,
}

struct Running {
    attempt: u32,
    ask: watch::Sender<Option<StopReason>>,
    kind: Arc<str>,
    project: Arc<str>,
    /// Its place in the order in which attempts were released.
    number: u64,
    /// Whether it waits for its turn within the limit of its kind.
    is_waiting: bool,
}

/// Where an attempt stands that waits for its turn within the limit of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The kind.
    pub kind: String,
    /// How many of it may be under way.
    pub limit: usize,
    /// Its place in the queue, from 1.
    pub position: usize,
    /// How many of it are.
    pub holder_count: usize,
    /// Those of the same project, by run and step; at most [`HOLDERS_SHOWN_MAX`]. A project is not
    /// told of the runs of others.
    pub holders: Vec<(Uuid, String)>,
}

impl Dispatcher {
    pub(crate) fn new(
        config: DispatchConfig,
        runtime: Handle,
        shared: Arc<Shared>,
        (reporter, commander): (Reporter, Commander),
    ) -> Arc<Dispatcher> {
        let limits = config
            .limits
            .iter()
            .map(|(kind, most)| (kind.clone(), Arc::new(Semaphore::new(*most))))
            .collect();
        Arc::new(Dispatcher {
            config,
            runtime,
            ledger: Ledger::default(),
            shared,
            reporter,
            commander,
            limits,
            running: Mutex::default(),
            task_count: watch::channel(0).0,
        })
    }

    /// Does something with a run. The answer comes when it is durable.
    pub(crate) async fn command(&self, run_id: Uuid, command: Command) -> Answer {
        let answer = (self.commander)(run_id, command).await;
        answer.unwrap_or_else(|_| Answer::Unavailable("the server is going down".to_owned()))
    }

    /// Has an attempt made.
    pub(crate) fn start(self: &Arc<Dispatcher>, order: AttemptOrder) {
        let (ask, stop) = windlass_nodes::Stop::channel();
        let place = (order.run_id, order.path.clone());
        let mut attempts = self.running.lock();
        attempts.released += 1;
        let running = Running {
            attempt: order.attempt,
            ask: ask.clone(),
            kind: order.kind.clone(),
            project: order.project.clone(),
            number: attempts.released,
            is_waiting: self.limits.contains_key(&*order.kind),
        };
        if attempts.is_closed {
            drop(attempts);
            return self.report(&order, Report::Abandoned);
        }
        attempts.by_step.insert(place, running);
        drop(attempts);
        let counted = Counted::new(&self.task_count);
        let attempt = attempt::make(self.clone(), Arc::new(order), ask, stop);
        self.runtime.spawn(async move {
            attempt.await;
            drop(counted);
        });
    }

    /// Asks whatever is being done for a step to stop.
    pub(crate) fn stop(&self, run_id: Uuid, path: &str) {
        if let Some(running) = self.running.lock().by_step.get(&(run_id, path.to_owned())) {
            running.ask.send_replace(Some(StopReason::Cancelled));
        }
    }

    /// Where the attempt of a step stands, if it waits for its turn.
    pub(crate) fn queue_of(&self, run_id: Uuid, path: &str) -> Option<Queue> {
        let attempts = self.running.lock();
        let own = attempts.by_step.get(&(run_id, path.to_owned()))?;
        if !own.is_waiting {
            return None;
        }
        let of_kind = || attempts.by_step.iter().filter(|(_, other)| other.kind == own.kind);
        let ahead = of_kind().filter(|(_, other)| other.is_waiting && other.number < own.number);
        let under_way = || of_kind().filter(|(_, other)| !other.is_waiting);
        let mut holders: Vec<(Uuid, String)> = under_way()
            .filter(|(_, other)| other.project == own.project)
            .map(|(place, _)| place.clone())
            .collect();
        holders.sort();
        holders.truncate(HOLDERS_SHOWN_MAX);
        Some(Queue {
            kind: own.kind.to_string(),
            limit: *self.config.limits.get(&*own.kind)?,
            position: ahead.count() + 1,
            holder_count: under_way().count(),
            holders,
        })
    }

    /// Where secrets are looked up.
    pub(crate) fn secrets(&self) -> &Arc<dyn SecretSource> {
        &self.config.secrets
    }

    /// All kinds.
    pub(crate) fn registry(&self) -> &Registry {
        &self.config.registry
    }

    fn has_its_turn(&self, order: &AttemptOrder) {
        let place = (order.run_id, order.path.clone());
        if let Some(running) = self.running.lock().by_step.get_mut(&place) {
            running.is_waiting = false;
        }
    }

    /// Removes what steps keep between their attempts, once it is durable that they have ended.
    pub(crate) fn published(&self, news: &Published) {
        let run_id = news.run_id;
        if !self.config.shell.kept.has(run_id) {
            return;
        }
        let over = news.events.iter().filter_map(|one| match &one.event.fact {
            Fact::StepSucceeded { path, .. }
            | Fact::StepFailed { path, .. }
            | Fact::StepSkipped { path, .. }
            | Fact::StepCancelled { path, .. }
            | Fact::StepMarked { path, .. } => Some(path.clone()),
            _ => None,
        });
        let (steps, is_over): (Vec<String>, bool) = (over.collect(), news.is_over);
        let shell = self.config.shell.clone();
        self.runtime.spawn_blocking(move || {
            steps.iter().for_each(|step| shell.kept.remove_step(run_id, step));
            if is_over {
                shell.kept.remove_run(run_id);
            }
        });
    }

    /// How many attempts are being made or wait for their turn.
    pub(crate) fn running_count(&self) -> usize {
        self.running.lock().by_step.len()
    }

    /// Waits for the attempts to end by themselves, and ends the rest after `grace`.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        let is_quiet = tokio::time::timeout(grace, self.all_ended()).await.is_ok();
        self.close();
        if !is_quiet {
            // A child has its own grace; what is not gone then goes with the process.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.all_ended()).await;
        }
    }

    /// Asks every attempt to end, and begins none from now on.
    fn close(&self) {
        let mut attempts = self.running.lock();
        attempts.is_closed = true;
        for running in attempts.by_step.values() {
            running.ask.send_replace(Some(StopReason::ShuttingDown));
        }
    }

    async fn all_ended(&self) {
        let mut count = self.task_count.subscribe();
        let _ = count.wait_for(|count| *count == 0).await;
    }

    fn forget(&self, order: &AttemptOrder) {
        let place = (order.run_id, order.path.clone());
        let mut attempts = self.running.lock();
        let latest = attempts.by_step.get(&place);
        if latest.is_some_and(|running| running.attempt == order.attempt) {
            attempts.by_step.remove(&place);
        }
    }

    fn report(&self, order: &AttemptOrder, report: Report) {
        (self.reporter)(order.run_id, order.path.clone(), order.attempt, report);
    }
}

/// A task that is counted for as long as this lives, however it ends.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Counted {
        count.send_modify(|count| *count += 1);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
