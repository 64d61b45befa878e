//! One server process: its machines, and what lies in the pipes between them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use uuid::Uuid;
use windlass_core::Time;
use windlass_engine::committer::Committer;
use windlass_engine::gate::Gate;
use windlass_engine::shard::{AttemptOrder, Input, Shard, ShardConfig};
use windlass_engine::sweeper::Sweeper;
use windlass_engine::timers::Timers;
use windlass_nodes::Registry;
use windlass_store::{MemoryStore, Message, RunWrite, Store, TaskRow, Tokens};

use crate::chance::Chance;

pub(crate) const SHARDS: usize = 2;

/// A crash drops it whole.
pub(crate) struct Process {
    pub(crate) epoch: i64,
    pub(crate) shards: Vec<Shard<u64>>,
    pub(crate) committer: Committer,
    pub(crate) timers: Timers,
    pub(crate) sweeper: Sweeper,
    pub(crate) inboxes: Vec<VecDeque<Input<u64>>>,
    pub(crate) loads: Vec<(usize, Uuid)>,
    /// The group that is on its way to the disk.
    pub(crate) group: Option<Vec<RunWrite>>,
    pub(crate) timer_load: Option<(Time, usize)>,
    pub(crate) work: Vec<Work>,
    pub(crate) gate: Gate,
    /// Messages on their way from one run to another.
    pub(crate) mail: Vec<Message>,
    /// What workers can take, and what they hold.
    pub(crate) desk: BTreeMap<Uuid, TaskRow>,
}

/// An attempt that is being made.
pub(crate) struct Work {
    pub(crate) order: AttemptOrder,
    pub(crate) started_at: Option<Time>,
}

impl Process {
    pub(crate) fn start(
        store: &MemoryStore,
        now: Time,
        chance: &mut Chance,
        registry: &Arc<Registry>,
        is_halted: bool,
    ) -> Process {
        let epoch = store.take_over("boot", now).unwrap();
        let shard = |_| {
            let seed = u64::try_from(chance.below(1_000_000)).unwrap();
            let mut config = ShardConfig::new(registry.clone(), seed);
            config.batch_run_count_max = 1 + chance.below(4);
            config.inline_per_turn = 1 + chance.below(4);
            config.resident_count_max = chance.below(6);
            Shard::new(config)
        };
        let shards: Vec<Shard<u64>> = (0..SHARDS).map(shard).collect();
        let tasks = store.tasks(None, usize::MAX - 1).unwrap().items;
        let inbox = || VecDeque::from([Input::Halt(is_halted)]);
        Process {
            epoch,
            shards,
            committer: Committer::default(),
            timers: Timers::default(),
            sweeper: Sweeper::default(),
            inboxes: (0..SHARDS).map(|_| inbox()).collect(),
            loads: Vec::new(),
            group: None,
            timer_load: None,
            work: Vec::new(),
            gate: crate::family::counted(store, is_halted),
            mail: Vec::new(),
            desk: tasks.into_iter().map(|row| (row.task_id, row)).collect(),
        }
    }
}
