//! The engine as everybody else sees it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::definition::{OnLimit, Plan};
use windlass_core::run::{Concurrency, CreateRun, Reused, UnitTerms};
use windlass_store::{Admission, ConcurrencySlot, IdempotencyKey, Store, StoreError};

use crate::clock::Clock;
use crate::definitions::Definitions;
use crate::desk::{Desk, QueueLimits};
use crate::dispatch::{Commander, DispatchConfig, Dispatcher, Reporter};
use crate::feed::Feed;
use crate::gate::Gate;
use crate::halt::{self, Halt};
use crate::ids::{new_id, new_id_for_shard};
use crate::live::LiveFeed;
use crate::retention::{Archive, RetentionRules};
use crate::shard::{Answer, Ask, Command, Create, Input, Published, ShardConfig};
use crate::threads::{self, Looks, Shared, Threads, ToCommitter, ToKeeper, ToReader, ToShard};
use crate::triggers;

/// Inputs that may wait in front of a shard before new runs are refused.
pub(crate) const BACKLOG_MAX: usize = 50_000;

/// How long to wait before the tasks of workers are read again, if they could not be.
const FILL_AGAIN: Duration = Duration::from_secs(1);

/// How an engine is to run.
pub struct EngineConfig {
    /// Where everything is kept. The engine takes it over.
    pub store: Arc<dyn Store>,
    /// What attempts need.
    pub dispatch: DispatchConfig,
    /// How many shards there are: one for each core, and two at least, is usual.
    pub shard_count: usize,
    /// How many may read from the store at once. A few more than it has readers leave none idle.
    pub read_count: usize,
    /// Whether runs that a former server left behind are taken up. Off for tools that only look.
    pub is_active: bool,
    /// How long runs are kept once they are over.
    pub retention: RetentionRules,
    /// Who keeps them after that; nobody if nothing is said.
    pub archive: Option<Arc<dyn Archive>>,
    /// How much of which queue may be handed out: by name, or by its beginning and `*`.
    pub queues: Vec<(String, QueueLimits)>,
    /// How often leases are looked through for those that have ended.
    pub sweep_every: Duration,
    /// Told of everything that becomes durable. It must be quick.
    pub observer: Arc<dyn Fn(&Published) + Send + Sync>,
}

/// A run to be created.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The definition.
    pub plan: Arc<Plan>,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The definition's version.
    pub version: u32,
    /// The definition's id.
    pub definition_id: Uuid,
    /// The input.
    pub input: Value,
    /// Labels, besides those of the definition.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls the run.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<Uuid>,
    /// Its priority, if not the definition's.
    pub priority: Option<i32>,
    /// Whether the workflow is paused, so that the run has to wait.
    pub is_paused: bool,
    /// Whether it begins paused, until somebody resumes it.
    pub begins_paused: bool,
    /// Who creates it.
    pub by: Option<String>,
    /// What it takes over from the run it repeats.
    pub reused: BTreeMap<String, Reused>,
    /// The key it is created under.
    pub key: Option<IdempotencyKey>,
    /// What its base unit of work is to be like, if actors drive it.
    pub unit: Option<UnitTerms>,
}

/// Where the time of deciding has gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// What follows, and folding it.
    pub decide: Duration,
    /// Events and rows as texts.
    pub serialise: Duration,
}

/// A run that was handed over to be created.
#[derive(Debug)]
pub struct Submitted {
    /// The id it will have, unless its key has created another run before.
    pub run_id: Uuid,
    answer: oneshot::Receiver<Answer>,
}

impl Submitted {
    /// What has become of it.
    /// May be given up and asked for again; it answers once.
    pub async fn answer(&mut self) -> Answer {
        (&mut self.answer).await.unwrap_or_else(|_| gone())
    }
}

/// How the engine feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether commits succeed at present.
    pub can_write: bool,
    /// Whether another server has taken the store over.
    pub is_fenced: bool,
    /// Runs in memory.
    pub live_run_count: usize,
    /// Attempts being made, or waiting for their turn.
    pub attempt_count: usize,
}

/// Runs workflows. Cheap to clone through its `Arc`.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    threads: Mutex<Option<Threads>>,
    looks: Looks,
    /// Runs without a key go to the shards in turn.
    next_shard: AtomicUsize,
    is_stopped: AtomicBool,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes a store over and begins to run what is in it. Attempts are made on `runtime`.
    ///
    /// # Errors
    ///
    /// If the store cannot be taken over.
    pub fn start(config: EngineConfig, runtime: Handle) -> Result<Arc<Engine>, StoreError> {
        Engine::start_with(config, runtime, |_| {})
    }

    /// The same, with shards that differ from the usual ones in what `change` says.
    ///
    /// # Errors
    ///
    /// If the store cannot be taken over.
    pub fn start_with(
        config: EngineConfig,
        runtime: Handle,
        change: impl FnOnce(&mut ShardConfig),
    ) -> Result<Arc<Engine>, StoreError> {
        let clock = Arc::new(Clock::new());
        let boot_id = new_id(clock.now()).to_string();
        let epoch = config.store.take_over(&boot_id, clock.now())?;
        let kinds = config.dispatch.registry.kinds().clone();
        let definitions = Arc::new(Definitions::new(config.store.clone(), kinds));
        let halted = halt::read(&*config.store)?;
        let listeners = Arc::new(triggers::load(&*config.store, &definitions)?);
        let gate = count_gate(&*config.store, halted.is_some(), config.is_active)?;
        let (mouths, ears) = threads::channels(config.shard_count.max(1));
        let of_plugins = config.dispatch.registry.clone();
        let plugins = move |kind: &str| of_plugins.plugin_of(kind).map(str::to_owned);
        let desk = Arc::new(Desk::new(config.queues, Arc::new(plugins)));
        let shared = Arc::new(Shared {
            desk,
            clock,
            store: config.store,
            definitions,
            feed: Feed::new(),
            live: Arc::default(),
            epoch,
            gauges: mouths.shards.iter().map(|_| Default::default()).collect(),
            shards: mouths.shards,
            committer: mouths.committer,
            keeper: mouths.keeper,
            readers: mouths.readers,
            observer: config.observer,
            gate: Mutex::new(gate),
            names: Mutex::default(),
            listeners,
            halted: Mutex::new(halted),
            is_fenced: AtomicBool::new(false),
            writing: Mutex::new(()),
            own_commits: AtomicU64::new(0),
            is_untidy: AtomicBool::new(false),
        });
        let for_reports = shared.clone();
        let reporter: Reporter = Arc::new(move |run_id, path, attempt, report| {
            for_reports.send(run_id, Input::Report { run_id, path, attempt, report });
        });
        let for_commands = shared.clone();
        let commander: Commander = Arc::new(move |run_id, command| {
            let (ticket, answer) = oneshot::channel();
            for_commands.send(run_id, Input::Command { run_id, command, ticket });
            answer
        });
        let registry = config.dispatch.registry.clone();
        let mut shard_config = ShardConfig {
            stopwatch: threads::stopwatch,
            listeners: shared.listeners.clone(),
            ..ShardConfig::new(registry, fastrand::u64(..))
        };
        change(&mut shard_config);
        let mouths = (reporter, commander);
        let dispatcher = Dispatcher::new(config.dispatch, runtime.clone(), shared.clone(), mouths);
        let (is_active, retention) = (config.is_active, (config.retention, config.archive));
        let threads =
            threads::start(&shared, &dispatcher, ears, &shard_config, is_active, retention);
        if shared.halted.lock().is_some() {
            for shard in &shared.shards {
                let _ = shard.send(ToShard::Input(Input::Halt(true)));
            }
        }
        shared.at_the_gate(Gate::open);
        let engine = Arc::new(Engine {
            shared,
            dispatcher,
            threads: Mutex::new(Some(threads)),
            looks: Looks::start(config.read_count),
            next_shard: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
        });
        runtime.spawn(keep_desk(Arc::downgrade(&engine), config.sweep_every));
        Ok(engine)
    }

    /// What workers outside can take and hold.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.shared.desk
    }

    /// Where everything is kept. Reading is free; writing is the engine's.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Definitions in memory.
    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.shared.definitions
    }

    /// What happens in attempts and is kept nowhere.
    pub fn live(&self) -> &Arc<LiveFeed> {
        &self.shared.live
    }

    /// The live feed.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.shared.feed
    }

    /// The clock everything goes by.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Whether nothing new is taken.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// How the engine feels.
    pub fn health(&self) -> Health {
        let gauges = &self.shared.gauges;
        let is_fenced = self.shared.is_fenced.load(Ordering::Relaxed);
        let in_trouble = gauges.iter().any(|one| one.is_in_trouble.load(Ordering::Relaxed));
        Health {
            can_write: !is_fenced && !in_trouble && !self.is_stopped(),
            is_fenced,
            live_run_count: gauges.iter().map(|one| one.live_count.load(Ordering::Relaxed)).sum(),
            attempt_count: self.dispatcher.running_count(),
        }
    }

    /// Where the time of deciding has gone so far.
    pub fn spent(&self) -> Spent {
        let sum = |of: fn(&threads::Gauges) -> &AtomicU64| {
            let nanos = self.shared.gauges.iter().map(|one| of(one).load(Ordering::Relaxed));
            Duration::from_nanos(nanos.sum())
        };
        let serialise = sum(|gauges| &gauges.serialised_nanos);
        let decide = sum(|gauges| &gauges.busy_nanos).saturating_sub(serialise);
        Spent { decide, serialise }
    }

    /// Reads from the store without holding up the caller's thread.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.looks.look(self.shared.store.clone(), work).await
    }

    /// Creates a run. The answer comes when it is durable.
    pub async fn create(&self, project: &str, run: NewRun) -> Answer {
        match self.submit(project, vec![run], false).pop() {
            Some(mut submitted) => submitted.answer().await,
            None => gone(),
        }
    }

    /// Hands runs over to be created in one commit. Each answer comes when the run is durable or,
    /// with `until_over`, when it is over or leaves memory to wait.
    pub fn submit(&self, project: &str, runs: Vec<NewRun>, until_over: bool) -> Vec<Submitted> {
        let shard_count = self.shared.shards.len();
        // A key belongs to the shard of its hash: the second request with it finds the first there.
        // In a batch, which stays together, only the first key is looked at; the store tells of
        // the others.
        let shard = match runs.first().and_then(|run| run.key.as_ref()) {
            Some(key) => hash_of(&key.key) % shard_count,
            None => self.next_shard.fetch_add(1, Ordering::Relaxed) % shard_count,
        };
        let sender = &self.shared.shards[shard];
        let now = self.shared.clock.now();
        let project: Arc<str> = Arc::from(project);
        let is_halted = self.shared.halted.lock().is_some();
        let mut submitted = Vec::with_capacity(runs.len());
        let mut creates = Vec::with_capacity(runs.len());
        for run in runs {
            let (ticket, answer) = oneshot::channel();
            let run_id = new_id_for_shard(now, shard, shard_count);
            submitted.push(Submitted { run_id, answer });
            let who = || run.by.clone().unwrap_or_default();
            creates.push(Create {
                paused_by: run.begins_paused.then(who),
                project: project.clone(),
                plan: run.plan,
                request: CreateRun {
                    run_id,
                    workflow_id: run.workflow_id,
                    version: run.version,
                    definition_id: run.definition_id,
                    input: run.input,
                    labels: run.labels,
                    rerun_of: run.rerun_of,
                    external_id: run.external_id,
                    parent: None,
                    priority: run.priority,
                    held: run.is_paused || is_halted,
                    by: run.by,
                    reused: run.reused,
                    unit: run.unit,
                    observed: None,
                    trigger_depth: 0,
                },
                key: run.key,
                until_over,
                message: None,
                ticket: Some(ticket),
            });
        }
        if sender.len() > BACKLOG_MAX || self.is_stopped() {
            let message = "the server has more to do than it can take";
            for create in creates {
                let answer = Answer::Unavailable(message.to_owned());
                let _ = create.ticket.map(|ticket| ticket.send(answer));
            }
        } else {
            let _ = sender.send(ToShard::Input(Input::Create(creates)));
        }
        submitted
    }

    /// Does something with a run. The answer comes when it is durable.
    pub async fn command(&self, run_id: Uuid, command: Command) -> Answer {
        let (ticket, answer) = oneshot::channel();
        if command == Command::Wake {
            let _ = self.shared.keeper.send(ToKeeper::Own(run_id));
        }
        self.shared.send(run_id, Input::Command { run_id, command, ticket });
        answer.await.unwrap_or_else(|_| gone())
    }

    /// Stops everything, or lets it go on: with `halt`, no run begins, no attempt is made and no
    /// timer fires. What is under way may end.
    ///
    /// # Errors
    ///
    /// If the store cannot be written. Nothing has changed then.
    pub async fn halt(&self, halt: Option<Halt>) -> Result<(), StoreError> {
        let (now, to_write) = (self.shared.clock.now(), halt.clone());
        self.call(move |store| halt::write(store, to_write.as_ref(), now)).await?;
        let is_halted = halt.is_some();
        *self.shared.halted.lock() = halt;
        for shard in &self.shared.shards {
            let _ = shard.send(ToShard::Input(Input::Halt(is_halted)));
        }
        let _ = self.shared.keeper.send(ToKeeper::Halt(is_halted));
        self.shared.at_the_gate(|gate| gate.halt(is_halted));
        if !is_halted {
            self.shared.desk.go_on();
        }
        Ok(())
    }

    /// Who has stopped everything, if somebody has.
    pub fn halted(&self) -> Option<Halt> {
        self.shared.halted.lock().clone()
    }

    /// Does something on the thread that writes. Its transactions come between those of runs.
    ///
    /// # Errors
    ///
    /// Those of `work`.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (ticket, answer) = oneshot::channel();
        let call: threads::Call = Box::new(move |store| drop(ticket.send(work(store))));
        let _ = self.shared.committer.send(ToCommitter::Call(call));
        let gone = |_| Err(StoreError::Unavailable("the server is going down".to_owned()));
        answer.await.unwrap_or_else(gone)
    }

    /// Takes nothing new, lets attempts end for `grace`, ends the rest, and stops. What was under
    /// way is taken up by the next engine on the same store. Harmless when called twice.
    pub async fn shut_down(&self, grace: Duration) {
        if self.is_stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        // An attempt that ends during the grace must not lead to another one: a long run would use
        // up all of it, and the attempt then under way would be lost.
        for shard in &self.shared.shards {
            let _ = shard.send(ToShard::WindUp);
        }
        self.dispatcher.shut_down(grace).await;
        let threads = self.threads.lock().take();
        let shared = self.shared.clone();
        let stopped = tokio::task::spawn_blocking(move || stop(&shared, threads));
        let _ = stopped.await;
    }
}

/// The shards first, because what they have left to say goes through the committer.
fn stop(shared: &Shared, threads: Option<Threads>) {
    let Some(threads) = threads else { return };
    for shard in &shared.shards {
        let _ = shard.send(ToShard::Stop);
    }
    for thread in threads.shards {
        let _ = thread.join();
    }
    drop(threads.retention);
    let _ = shared.keeper.send(ToKeeper::Stop);
    let _ = shared.readers.send(ToReader::Stop);
    let _ = shared.readers.send(ToReader::Stop);
    let _ = shared.committer.send(ToCommitter::Stop);
    for thread in threads.others {
        let _ = thread.join();
    }
}

pub(crate) fn gone() -> Answer {
    Answer::OutcomeUnknown("the server is going down".to_owned())
}

pub(crate) fn hash_of(text: &str) -> usize {
    usize::try_from(windlass_core::digest(text) >> 16).unwrap_or(0)
}

/// Runs read at once when the gate is counted.
const ADMISSIONS_AT_ONCE: usize = 2_000;

/// The gate as the rows say. A process that takes up nothing of what others left behind lets none of
/// it in either.
fn count_gate(store: &dyn Store, is_halted: bool, is_active: bool) -> Result<Gate, StoreError> {
    let (mut gate, mut after) = (Gate::default(), None);
    let mut workflows = HashSet::new();
    gate.halt(is_halted);
    loop {
        let page = store.admissions(after, ADMISSIONS_AT_ONCE)?;
        after = page.items.last().map(|admission| admission.run_id);
        for admission in page.items {
            let Admission { run_id, project, workflow_id, concurrency, priority, has_started } =
                admission;
            if workflows.insert(workflow_id) {
                let row = store.workflow(&project, &workflow_id.to_string())?;
                if row.is_some_and(|row| row.pause.is_some()) {
                    gate.pause(workflow_id, true);
                }
            }
            let concurrency = concurrency.map(|ConcurrencySlot { key, limit }| Concurrency {
                key,
                limit,
                on_limit: OnLimit::Queue,
            });
            if has_started || is_active {
                gate.count(&Ask { run_id, workflow_id, concurrency, priority }, has_started);
            }
        }
        if !page.has_more {
            return Ok(gate);
        }
    }
}

/// Fills the desk, and then looks through its leases now and then.
async fn keep_desk(engine: Weak<Engine>, every: Duration) {
    loop {
        let Some(shared) = engine.upgrade().map(|engine| engine.shared.clone()) else { return };
        let filled = tokio::task::spawn_blocking(move || shared.desk.fill(&*shared.store)).await;
        match filled {
            Ok(Ok(())) => break,
            Ok(Err(error)) => tracing::warn!(%error, "the tasks of workers cannot be read"),
            Err(_) => return,
        }
        tokio::time::sleep(FILL_AGAIN).await;
    }
    loop {
        tokio::time::sleep(every).await;
        let Some(engine) = engine.upgrade() else { return };
        engine.sweep_tasks().await;
    }
}
