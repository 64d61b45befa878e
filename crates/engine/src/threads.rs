//! The threads around the machines: one for each shard, one that commits, one that keeps the time,
//! and two that read.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::Time;
use windlass_store::{Conflict, RunWrite, Store, StoreError, TimerRow};

use crate::clock::Clock;
use crate::committer::Committer;
use crate::definitions::Definitions;
use crate::dispatch::Dispatcher;
use crate::feed::Feed;
use crate::ids::shard_of;
use crate::load;
use crate::shard::{Answer, Input, Output, Published, Shard, ShardConfig};
use crate::sweeper::Sweeper;
use crate::timers::{Timers, Wanted};

/// Whoever waits for an answer.
pub(crate) type Ticket = oneshot::Sender<Answer>;

/// Something to do with the store on the one thread that writes.
pub(crate) type Call = Box<dyn FnOnce(&dyn Store) + Send>;

/// What became of a batch.
type CommitResult = Result<Vec<(usize, Conflict)>, StoreError>;

/// Inputs a shard takes before it looks at the rest.
const INPUTS_PER_TURN: usize = 4_096;
/// Runs of a batch that a shard commits itself if nobody else is writing. It saves a lone run two
/// changes of thread a commit; a larger batch is worth more if the shard can go on meanwhile.
const OWN_COMMIT_MAX: usize = 4;
/// How long nothing must have been committed before the store is tidied.
const QUIET: Duration = Duration::from_millis(200);
/// How long a shard that stops waits for its last batch.
const WIND_UP_TIME_MAX: Duration = Duration::from_secs(3);
/// Expressions and JSON are walked recursively, within limits that need more than the usual stack.
const STACK_BYTES: usize = 16 * 1024 * 1024;
/// How long idempotency keys are kept.
const KEYS_KEPT: Duration = Duration::from_secs(7 * 86_400);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
const PRUNE_AT_ONCE: usize = 1_000;

#[expect(clippy::large_enum_variant, reason = "nearly all of them are inputs")]
pub(crate) enum ToShard {
    Input(Input<Ticket>),
    /// Begin nothing more. Attempts that are being made may still end.
    WindUp,
    Stop,
}

pub(crate) enum ToCommitter {
    Batch(usize, Vec<RunWrite>),
    Call(Call),
    /// A shard has committed by itself.
    Untidy,
    Stop,
}

pub(crate) enum ToKeeper {
    Timer(TimerRow),
    /// A run is this process's business from now on.
    Own(Uuid),
    Stop,
}

pub(crate) enum ToReader {
    Load(usize, Uuid),
    Stop,
}

/// Everything the threads share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) epoch: i64,
    pub(crate) shards: Vec<Sender<ToShard>>,
    pub(crate) committer: Sender<ToCommitter>,
    pub(crate) keeper: Sender<ToKeeper>,
    pub(crate) readers: Sender<ToReader>,
    /// Told of everything that becomes durable, in the shard's thread: it must be quick.
    pub(crate) observer: Arc<dyn Fn(&Published) + Send + Sync>,
    pub(crate) gauges: Vec<Gauges>,
    pub(crate) is_fenced: AtomicBool,
    /// Held by whoever commits.
    pub(crate) writing: Mutex<()>,
    /// Commits that shards have made themselves.
    pub(crate) own_commits: AtomicU64,
    /// Whether the committer has been told that there are such since it last tidied.
    pub(crate) is_untidy: AtomicBool,
}

/// What a shard shows of itself.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) is_in_trouble: AtomicBool,
    pub(crate) live_count: AtomicUsize,
    pub(crate) busy_nanos: AtomicU64,
    pub(crate) serialised_nanos: AtomicU64,
}

/// Where the threads listen.
pub(crate) struct Ears {
    pub(crate) shards: Vec<Receiver<ToShard>>,
    pub(crate) committer: Receiver<ToCommitter>,
    pub(crate) keeper: Receiver<ToKeeper>,
    pub(crate) readers: Receiver<ToReader>,
}

pub(crate) struct Mouths {
    pub(crate) shards: Vec<Sender<ToShard>>,
    pub(crate) committer: Sender<ToCommitter>,
    pub(crate) keeper: Sender<ToKeeper>,
    pub(crate) readers: Sender<ToReader>,
}

pub(crate) fn channels(shard_count: usize) -> (Mouths, Ears) {
    let (shards, shard_ears): (Vec<_>, Vec<_>) = (0..shard_count).map(|_| unbounded()).unzip();
    let (committer, committer_ear) = unbounded();
    let (keeper, keeper_ear) = unbounded();
    let (readers, readers_ear) = unbounded();
    let ears = Ears {
        shards: shard_ears,
        committer: committer_ear,
        keeper: keeper_ear,
        readers: readers_ear,
    };
    (Mouths { shards, committer, keeper, readers }, ears)
}

impl Shared {
    pub(crate) fn send(&self, run_id: Uuid, input: Input<Ticket>) {
        let shard = shard_of(run_id, self.shards.len());
        // The threads outlive every sender but one, and that one sends only to stop them.
        let _ = self.shards[shard].send(ToShard::Input(input));
    }
}

/// The threads, in the order in which they stop.
pub(crate) struct Threads {
    pub(crate) shards: Vec<JoinHandle<()>>,
    pub(crate) others: Vec<JoinHandle<()>>,
}

/// Starts all threads.
pub(crate) fn start(
    shared: &Arc<Shared>,
    dispatcher: &Arc<Dispatcher>,
    ears: Ears,
    shard_config: &ShardConfig,
    is_active: bool,
) -> Threads {
    let mut threads = Threads { shards: Vec::new(), others: Vec::new() };
    for (index, ear) in ears.shards.into_iter().enumerate() {
        let (shared, dispatcher) = (shared.clone(), dispatcher.clone());
        let seed = shard_config.seed.wrapping_add(u64::try_from(index).unwrap_or(0));
        let config = ShardConfig { seed, ..shard_config.clone() };
        threads.shards.push(spawn(&format!("shard-{index}"), move || {
            ShardThread { index, shard: Shard::new(config), shared, dispatcher }.run(&ear);
        }));
    }
    for index in 0..2 {
        let (shared, ear) = (shared.clone(), ears.readers.clone());
        threads.others.push(spawn(&format!("reader-{index}"), move || read(&shared, &ear)));
    }
    let for_committer = shared.clone();
    threads.others.push(spawn("committer", move || commit(&for_committer, &ears.committer)));
    let keeper = Keeper::new(shared.clone(), is_active);
    threads.others.push(spawn("keeper", move || keeper.run(&ears.keeper)));
    threads
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .expect("the system has room for a handful of threads")
}

struct ShardThread {
    index: usize,
    shard: Shard<Ticket>,
    shared: Arc<Shared>,
    dispatcher: Arc<Dispatcher>,
}

impl ShardThread {
    fn run(mut self, ear: &Receiver<ToShard>) {
        let mut out = Vec::new();
        let mut give_up_at = None;
        while give_up_at.is_none_or(|at| at > self.shared.clock.now()) {
            let first = match self.wait(ear) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = self.shared.clock.now();
            let began = Instant::now();
            for message in first.into_iter().chain(ear.try_iter().take(INPUTS_PER_TURN)) {
                match message {
                    ToShard::Input(input) => self.shard.step(now, input, &mut out),
                    ToShard::WindUp => self.shard.wind_up(),
                    ToShard::Stop => {
                        self.shard.wind_up();
                        give_up_at.get_or_insert_with(|| now.plus(WIND_UP_TIME_MAX));
                    }
                }
            }
            self.shard.turn(now, &mut out);
            // Before anybody is answered, so that who then asks for the health finds it as it is.
            let gauges = &self.shared.gauges[self.index];
            gauges.is_in_trouble.store(self.shard.is_in_trouble(), Ordering::Relaxed);
            gauges.live_count.store(self.shard.live_count(), Ordering::Relaxed);
            gauges.busy_nanos.fetch_add(nanos(began.elapsed()), Ordering::Relaxed);
            gauges.serialised_nanos.store(nanos(self.shard.serialised()), Ordering::Relaxed);
            self.perform_all(&mut out, ear);
            if give_up_at.is_some() && self.shard.is_settled() {
                return;
            }
        }
    }

    fn wait(&self, ear: &Receiver<ToShard>) -> Result<Option<ToShard>, RecvTimeoutError> {
        if self.shard.has_work() {
            return Ok(None);
        }
        if self.shard.is_winding_up() {
            return ear.recv_timeout(Duration::from_millis(20)).map(Some);
        }
        match self.shard.next_deadline() {
            None => ear.recv().map(Some).map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let wait = due.since(self.shared.clock.now());
                ear.recv_timeout(wait).map(Some)
            }
        }
    }

    fn perform_all(&mut self, out: &mut Vec<Output<Ticket>>, ear: &Receiver<ToShard>) {
        while !out.is_empty() {
            let mut committed = None;
            for output in std::mem::take(out) {
                match output {
                    Output::Commit(batch) => committed = self.commit(batch, ear),
                    output => self.perform(output),
                }
            }
            if let Some(result) = committed {
                let now = self.shared.clock.now();
                self.shard.step(now, Input::Committed(result), out);
                self.shard.turn(now, out);
            }
        }
    }

    /// Has a batch committed: by the committer or, if it is small and nobody else is writing and
    /// nothing else is to be done, here. Then the result is the answer.
    fn commit(&self, batch: Vec<RunWrite>, ear: &Receiver<ToShard>) -> Option<CommitResult> {
        let shared = &self.shared;
        if batch.len() <= OWN_COMMIT_MAX
            && ear.is_empty()
            && !self.shard.has_work()
            && let Some(_writing) = shared.writing.try_lock()
        {
            let result = shared.store.commit(shared.epoch, &batch);
            if let Err(error) = &result {
                tracing::error!(%error, run.count = batch.len(), "a commit failed");
            }
            shared.own_commits.fetch_add(1, Ordering::Relaxed);
            if !shared.is_untidy.swap(true, Ordering::Relaxed) {
                let _ = shared.committer.send(ToCommitter::Untidy);
            }
            return Some(result);
        }
        let _ = shared.committer.send(ToCommitter::Batch(self.index, batch));
        None
    }

    fn perform(&self, output: Output<Ticket>) {
        let shared = &self.shared;
        match output {
            Output::Load { run_id } => {
                let _ = shared.readers.send(ToReader::Load(self.index, run_id));
            }
            Output::Commit(_) => unreachable!("commits are told apart before"),
            Output::Start(order) => self.dispatcher.start(order),
            Output::Stop { run_id, path } => self.dispatcher.stop(run_id, &path),
            Output::Timer(timer) => {
                let _ = shared.keeper.send(ToKeeper::Timer(timer));
            }
            Output::Publish(published) => {
                (shared.observer)(&published);
                shared.feed.publish(published);
            }
            // Whoever asked may have gone.
            Output::Answer(ticket, answer) => drop(ticket.send(answer)),
            Output::Fenced => {
                tracing::error!("another server has taken the store over; this one writes no more");
                shared.is_fenced.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Time since the first call.
pub(crate) fn stopwatch() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn commit(shared: &Shared, ear: &Receiver<ToCommitter>) {
    let mut committer = Committer::default();
    let mut is_tidy = true;
    let mut own_commits_seen = 0;
    loop {
        let first = if is_tidy {
            match ear.recv() {
                Ok(message) => message,
                Err(_) => return,
            }
        } else {
            match ear.recv_timeout(QUIET) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    let own_commits = shared.own_commits.load(Ordering::Relaxed);
                    if std::mem::replace(&mut own_commits_seen, own_commits) != own_commits {
                        continue;
                    }
                    shared.is_untidy.store(false, Ordering::Relaxed);
                    if let Err(error) = shared.store.tidy() {
                        tracing::warn!(%error, "the store could not be tidied");
                    }
                    is_tidy = true;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        };
        let mut calls = Vec::new();
        let mut is_last = false;
        for message in std::iter::once(first).chain(ear.try_iter()) {
            match message {
                ToCommitter::Batch(shard, batch) => committer.take(shard, batch),
                ToCommitter::Call(call) => calls.push(call),
                ToCommitter::Untidy => {}
                ToCommitter::Stop => is_last = true,
            }
        }
        let writing = shared.writing.lock();
        if let Some(group) = committer.next_group() {
            let result = shared.store.commit(shared.epoch, &group);
            if let Err(error) = &result {
                tracing::error!(%error, run.count = group.len(), "a commit failed");
            }
            for (shard, outcome) in committer.done(result) {
                let _ = shared.shards[shard].send(ToShard::Input(Input::Committed(outcome)));
            }
            // Dropping thousands of rows takes a while; the shards have their answer already.
            drop(group);
        }
        for call in calls {
            call(&*shared.store);
        }
        drop(writing);
        is_tidy = false;
        if is_last {
            return;
        }
    }
}

fn read(shared: &Shared, ear: &Receiver<ToReader>) {
    while let Ok(ToReader::Load(shard, run_id)) = ear.recv() {
        let found = load::find(&*shared.store, &shared.definitions, run_id, shared.epoch);
        let _ = shared.shards[shard].send(ToShard::Input(Input::Loaded { run_id, found }));
    }
}

/// Keeps the time: fires timers, sweeps for orphans, forgets old keys.
struct Keeper {
    shared: Arc<Shared>,
    /// Where runs that were left behind are not to go on: the runs of this process. Theirs are the
    /// only timers that fire.
    own: Option<HashSet<Uuid>>,
    timers: Timers,
    sweeper: Sweeper,
    next_prune: Time,
}

impl Keeper {
    fn new(shared: Arc<Shared>, is_active: bool) -> Keeper {
        let next_prune = shared.clock.now().plus(PRUNE_EVERY);
        let own = (!is_active).then(HashSet::new);
        Keeper { shared, own, timers: Timers::default(), sweeper: Sweeper::default(), next_prune }
    }

    fn run(mut self, ear: &Receiver<ToKeeper>) {
        loop {
            let now = self.shared.clock.now();
            self.fire(now);
            if self.own.is_none() {
                self.sweep(now);
            }
            self.prune(now);
            let sweep = self.sweeper.next_due().filter(|_| self.own.is_none());
            let due = [self.timers.next_due(), sweep, Some(self.next_prune)];
            let due = due.into_iter().flatten().min().unwrap_or(self.next_prune);
            let wait = due.since(self.shared.clock.now());
            match ear.recv_timeout(wait) {
                Ok(first) => {
                    for message in std::iter::once(first).chain(ear.try_iter()) {
                        match message {
                            ToKeeper::Timer(timer) => self.set(timer),
                            ToKeeper::Own(run_id) => self.adopt(run_id),
                            ToKeeper::Stop => return,
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn set(&mut self, timer: TimerRow) {
        self.adopt(timer.run_id);
        self.timers.set(timer);
    }

    fn adopt(&mut self, run_id: Uuid) {
        let is_new = self.own.as_mut().is_some_and(|own| own.insert(run_id));
        if is_new {
            // Its timers may have been passed over.
            self.timers.look_again();
        }
    }

    fn fire(&mut self, now: Time) {
        for wanted in self.timers.tick(now) {
            match wanted {
                Wanted::Fire(TimerRow { run_id, path, .. }) => {
                    if self.own.as_ref().is_some_and(|own| !own.contains(&run_id)) {
                        continue;
                    }
                    self.shared.send(run_id, Input::Timer { run_id, path });
                }
                Wanted::Load { until, limit } => {
                    let found = self.shared.store.due_timers(until, limit);
                    if let Err(error) = &found {
                        tracing::warn!(%error, "timers could not be read");
                    }
                    self.timers.loaded(self.shared.clock.now(), until, found.ok());
                }
            }
        }
    }

    fn sweep(&mut self, now: Time) {
        let Some(look) = self.sweeper.tick(now) else { return };
        let page = self.shared.store.orphans(self.shared.epoch, look.after, look.limit);
        if let Err(error) = &page {
            tracing::warn!(%error, "orphans could not be read");
        }
        let page = page.ok();
        self.sweeper.found(now, page.as_deref());
        for run_id in page.into_iter().flatten() {
            self.shared.send(run_id, Input::Adopt { run_id });
        }
    }

    fn prune(&mut self, now: Time) {
        if self.next_prune > now {
            return;
        }
        self.next_prune = now.plus(PRUNE_EVERY);
        let before = Time::from_micros(
            now.micros() - i64::try_from(KEYS_KEPT.as_micros()).unwrap_or(i64::MAX),
        );
        let prune: Call = Box::new(move |store| match store.prune_keys(before, PRUNE_AT_ONCE) {
            Ok(count) => tracing::debug!(count, "old idempotency keys forgotten"),
            Err(error) => tracing::warn!(%error, "old idempotency keys could not be forgotten"),
        });
        let _ = self.shared.committer.send(ToCommitter::Call(prune));
    }
}
