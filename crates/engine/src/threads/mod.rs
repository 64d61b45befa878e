//! The threads around the machines: one for each shard, one that commits, one that keeps the time,
//! two that read for the shards and some that read for everybody else, and one that lets old runs go.

mod committer;
mod keeper;
mod looks;
mod retention;
mod shard;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use uuid::Uuid;
use windlass_core::run::What;
use windlass_store::{Message, RunWrite, Store, TimerRow};

use crate::clock::Clock;
use crate::definitions::Definitions;
use crate::desk::Desk;
use crate::dispatch::Dispatcher;
use crate::feed::Feed;
use crate::gate::{Gate, Verdict};
use crate::halt::Halt;
use crate::ids::shard_of;
use crate::live::LiveFeed;
use crate::load;
use crate::observe::Names;
use crate::order::{self, Carried};
use crate::retention::{Archive, RetentionRules};
use crate::shard::{Answer, Input, Published, Shard, ShardConfig, word};
use crate::triggers::{self, Listeners};
use keeper::Keeper;
pub(crate) use looks::Looks;
use retention::Retention;
use shard::ShardThread;

/// Whoever waits for an answer.
pub(crate) type Ticket = oneshot::Sender<Answer>;

/// Something to do with the store on the one thread that writes.
pub(crate) type Call = Box<dyn FnOnce(&dyn Store) + Send>;

/// Expressions and JSON are walked recursively, within limits that need more than the usual stack.
const STACK_BYTES: usize = 16 * 1024 * 1024;

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
    /// Everything was stopped, or goes on.
    Halt(bool),
    /// Some of what is old was forgotten, and there may be more.
    PruneAgain,
    Stop,
}

pub(crate) enum ToReader {
    Load(usize, Uuid),
    /// A message by which a step, or the end of a run, asks for a run.
    Order(Message),
    Stop,
}

/// Everything the threads share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) live: Arc<LiveFeed>,
    pub(crate) epoch: i64,
    pub(crate) shards: Vec<Sender<ToShard>>,
    pub(crate) committer: Sender<ToCommitter>,
    pub(crate) keeper: Sender<ToKeeper>,
    pub(crate) readers: Sender<ToReader>,
    /// Told of everything that becomes durable, in the shard's thread: it must be quick.
    pub(crate) observer: Arc<dyn Fn(&Published) + Send + Sync>,
    pub(crate) gauges: Vec<Gauges>,
    /// What workers outside can take and hold.
    pub(crate) desk: Arc<Desk>,
    pub(crate) gate: Mutex<Gate>,
    /// Which runs are meant by the names that other programs give theirs.
    pub(crate) names: Mutex<Names>,
    /// Who listens for the ends of runs.
    pub(crate) listeners: Arc<Listeners>,
    /// Who has stopped everything, if somebody has.
    pub(crate) halted: Mutex<Option<Halt>>,
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

    /// Has a message handed over. One that asks for a run needs a definition first.
    pub(crate) fn hand_over(&self, message: Message) {
        if matches!(message.word.as_str(), word::START | word::TRIGGER) {
            let _ = self.readers.send(ToReader::Order(message));
        } else {
            self.send(message.target, Input::Message(message));
        }
    }

    /// Asks the gate, and tells the runs what it says.
    pub(crate) fn at_the_gate(&self, ask: impl FnOnce(&mut Gate) -> Vec<Verdict>) {
        // Told under the lock, so that what is decided first is heard first.
        let mut gate = self.gate.lock();
        for verdict in ask(&mut gate) {
            let (run_id, what) = what_of(verdict);
            self.send(run_id, Input::Tell { run_id, what });
        }
    }
}

fn what_of(verdict: Verdict) -> (Uuid, What) {
    let by = || "concurrency".to_owned();
    match verdict {
        Verdict::Admit(run_id) => (run_id, What::Admit),
        Verdict::TurnAway(run_id) => {
            let reason = "the limit of its concurrency key was reached".to_owned();
            (run_id, What::Cancel { by: by(), reason: Some(reason) })
        }
        Verdict::Replace { run_id, by: younger } => {
            let reason = format!("the run {younger} of the same concurrency key takes its place");
            (run_id, What::Cancel { by: by(), reason: Some(reason) })
        }
    }
}

/// The threads, in the order in which they stop.
pub(crate) struct Threads {
    pub(crate) shards: Vec<JoinHandle<()>>,
    pub(crate) others: Vec<JoinHandle<()>>,
    /// What deletes old runs goes on for as long as this is there.
    pub(crate) retention: Option<Sender<Infallible>>,
}

/// Starts all threads.
pub(crate) fn start(
    shared: &Arc<Shared>,
    dispatcher: &Arc<Dispatcher>,
    ears: Ears,
    shard_config: &ShardConfig,
    is_active: bool,
    retention: (RetentionRules, Option<Arc<dyn Archive>>),
) -> Threads {
    let mut threads = Threads { shards: Vec::new(), others: Vec::new(), retention: None };
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
        threads.others.push(spawn(&format!("reader-{index}"), move || run_reader(&shared, &ear)));
    }
    let for_committer = shared.clone();
    threads
        .others
        .push(spawn("committer", move || committer::run(&for_committer, &ears.committer)));
    let keeper = Keeper::new(shared.clone(), is_active);
    threads.others.push(spawn("keeper", move || keeper.run(&ears.keeper)));
    let (rules, archive) = retention;
    if is_active && !rules.is_empty() {
        let (mouth, ear) = unbounded();
        let retention = Retention::new(shared.clone(), rules, archive);
        threads.retention = Some(mouth);
        threads.others.push(spawn("retention", move || retention.run(&ear)));
    }
    threads
}

/// A panic in one of these threads is a bug of ours that would leave its runs standing still. The
/// process ends instead: what follows a `kill -9` is the one recovery there is.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let named = name.to_owned();
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err() {
                tracing::error!(thread = %named, "a thread panicked; the process ends");
                std::process::abort();
            }
        })
        .expect("the system has room for a handful of threads")
}

/// Time since the first call.
pub(crate) fn stopwatch() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The thread that reads runs for the shards.
fn run_reader(shared: &Shared, ear: &Receiver<ToReader>) {
    loop {
        match ear.recv() {
            Ok(ToReader::Load(shard, run_id)) => {
                let found = load::find(&*shared.store, &shared.definitions, run_id, shared.epoch);
                let _ = shared.shards[shard].send(ToShard::Input(Input::Loaded { run_id, found }));
            }
            Ok(ToReader::Order(message)) => {
                let is_halted = shared.halted.lock().is_some();
                let now = shared.clock.now();
                let definitions = &shared.definitions;
                let carried = match message.word.as_str() {
                    word::TRIGGER => triggers::carry_out(definitions, &message, is_halted, now),
                    _ => order::carry_out(definitions, message, is_halted, now),
                };
                match carried {
                    Ok(Carried::Create(create)) => {
                        let run_id = create.request.run_id;
                        shared.send(run_id, Input::Create(vec![*create]));
                    }
                    Ok(Carried::Refuse(message)) => {
                        shared.send(message.target, Input::Message(message));
                    }
                    // The order is kept, and comes again.
                    Err(error) => tracing::warn!(%error, "a run could not be begun"),
                }
            }
            Ok(ToReader::Stop) | Err(_) => return,
        }
    }
}
