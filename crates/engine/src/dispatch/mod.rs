//! Making attempts: a task for each, within limits, with its secrets, its log lines and its time.
//!
//! The dispatcher only carries out orders. It knows no run and no database; what comes of an attempt
//! it reports to the shard the run belongs to.

mod attempt;
mod mask;
mod secrets;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;
use windlass_nodes::{HttpClient, Registry, ShellSettings, StopReason};

pub use secrets::SecretSource;

use crate::clock::Clock;
use crate::shard::{AttemptOrder, Report};

/// What attempts need.
#[derive(Clone)]
pub struct DispatchConfig {
    /// How attempts of each kind are made.
    pub registry: Arc<Registry>,
    /// For requests to elsewhere.
    pub http: Arc<HttpClient>,
    /// For child processes.
    pub shell: Arc<ShellSettings>,
    /// Where secrets are looked up.
    pub secrets: Arc<dyn SecretSource>,
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

pub(crate) struct Dispatcher {
    config: DispatchConfig,
    runtime: Handle,
    clock: Arc<Clock>,
    reporter: Reporter,
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
}

struct Running {
    attempt: u32,
    ask: watch::Sender<Option<StopReason>>,
}

impl Dispatcher {
    pub(crate) fn new(
        config: DispatchConfig,
        runtime: Handle,
        clock: Arc<Clock>,
        reporter: Reporter,
    ) -> Arc<Dispatcher> {
        let limits = config
            .limits
            .iter()
            .map(|(kind, most)| (kind.clone(), Arc::new(Semaphore::new(*most))))
            .collect();
        Arc::new(Dispatcher {
            config,
            runtime,
            clock,
            reporter,
            limits,
            running: Mutex::default(),
            task_count: watch::channel(0).0,
        })
    }

    /// Has an attempt made.
    pub(crate) fn start(self: &Arc<Dispatcher>, order: AttemptOrder) {
        let (ask, stop) = windlass_nodes::Stop::channel();
        let place = (order.run_id, order.path.clone());
        let running = Running { attempt: order.attempt, ask: ask.clone() };
        let mut attempts = self.running.lock();
        if attempts.is_closed {
            drop(attempts);
            return self.report(&order, Report::Abandoned);
        }
        attempts.by_step.insert(place, running);
        drop(attempts);
        let counted = Counted::new(&self.task_count);
        let attempt = attempt::make(self.clone(), order, ask, stop);
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
