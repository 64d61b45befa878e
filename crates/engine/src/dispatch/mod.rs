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
    running: Mutex<HashMap<(Uuid, String), Running>>,
    /// Grows by one when an attempt ends, for whoever waits for all of them.
    ended: watch::Sender<u64>,
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
            running: Mutex::new(HashMap::new()),
            ended: watch::channel(0).0,
        })
    }

    /// Has an attempt made.
    pub(crate) fn start(self: &Arc<Dispatcher>, order: AttemptOrder) {
        let (ask, stop) = windlass_nodes::Stop::channel();
        let place = (order.run_id, order.path.clone());
        let running = Running { attempt: order.attempt, ask: ask.clone() };
        self.running.lock().insert(place, running);
        self.runtime.spawn(attempt::make(self.clone(), order, ask, stop));
    }

    /// Asks whatever is being done for a step to stop.
    pub(crate) fn stop(&self, run_id: Uuid, path: &str) {
        if let Some(running) = self.running.lock().get(&(run_id, path.to_owned())) {
            running.ask.send_replace(Some(StopReason::Cancelled));
        }
    }

    /// How many attempts are being made or wait for their turn.
    pub(crate) fn running_count(&self) -> usize {
        self.running.lock().len()
    }

    /// Waits for the attempts to end by themselves, and ends the rest after `grace`.
    pub(crate) async fn shut_down(&self, grace: Duration) {
        if tokio::time::timeout(grace, self.all_ended()).await.is_err() {
            for running in self.running.lock().values() {
                running.ask.send_replace(Some(StopReason::ShuttingDown));
            }
            // A child has its own grace; what is not gone then goes with the process.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.all_ended()).await;
        }
    }

    async fn all_ended(&self) {
        let mut ended = self.ended.subscribe();
        while self.running_count() > 0 {
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    fn forget(&self, order: &AttemptOrder) {
        let place = (order.run_id, order.path.clone());
        let mut running = self.running.lock();
        if running.get(&place).is_some_and(|running| running.attempt == order.attempt) {
            running.remove(&place);
        }
        drop(running);
        self.ended.send_modify(|count| *count += 1);
    }

    fn report(&self, order: &AttemptOrder, report: Report) {
        (self.reporter)(order.run_id, order.path.clone(), order.attempt, report);
    }
}
