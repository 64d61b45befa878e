//! A shard: the runs of one core, decided one after the other, without a lock.
//!
//! It is a plain state machine. [`Shard::step`] takes one input, [`Shard::turn`] goes on with what
//! is left and hands over the next batch; both say what they want done as [`Output`]s. Threads,
//! channels and clocks are around it (`threads`), and the simulation has its own.
//!
//! ```text
//!   inputs ──► step ──► decide, evolve ──► pending ──► turn ──► Commit ──┐
//!                          ▲                                             │ durable
//!                          └──── inline attempts ◄── release ◄───────────┘
//!                                                      └──► Start, Timer, Publish, Answer
//! ```
//!
//! At most one batch is under way. What happens meanwhile gathers into the next one, so the disk
//! decides how large batches are: one event when it is idle, thousands when it is busy.
//!
//! The barrier: an answer, an attempt, a timer and a message leave only by `release`, which runs
//! when the batch that holds their events is durable.

mod attempts;
mod chunks;
mod commit;
mod create;
mod live;
mod load;
mod mail;
mod measured;
mod messages;
mod observe;
mod offers;
mod pending;
mod tokens;
mod trigger;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::limits::HISTORY_EVENT_COUNT_MAX;
use windlass_core::run::{Refused, RunStatus, TaskAct, What};
use windlass_nodes::Registry;
use windlass_store::MessageKey;

pub use mail::{Order, Outcome, refusal, word};
pub use measured::{AttemptMeasured, Measured};
pub use messages::*;
pub use observe::{Line, Observe, ObservedRun, Word};
pub use tokens::{actor_id, ask_id, id_in, step_task_id};
pub(crate) use tokens::{role_word, task_id, unit_row};
pub use trigger::Occasion;

use crate::triggers::Listeners;
use crate::view::{AskView, TaskView};
use commit::Batch;
use live::{LiveRun, Moment};
use load::{Loading, Trouble};

/// How a shard behaves.
#[derive(Clone)]
pub struct ShardConfig {
    /// How attempts of each kind are made.
    pub registry: Arc<Registry>,
    /// A run that waits longer than this leaves memory.
    pub evict_after: Duration,
    /// What can wait for company (starts, log lines) is committed after this at the latest.
    pub linger: Duration,
    /// Runs that are kept in memory although they only wait for workers, at most.
    pub resident_count_max: usize,
    /// Runs of one batch, at most.
    pub batch_run_count_max: usize,
    /// Attempts made on the spot in one turn, at most.
    pub inline_per_turn: usize,
    /// Events of one run, at most.
    pub history_max: u64,
    /// Who listens for the ends of runs.
    pub listeners: Arc<Listeners>,
    /// Where the shard's chance begins.
    pub seed: u64,
    /// For measuring alone; nothing is decided by it. The simulation's stands still.
    pub stopwatch: fn() -> Duration,
}

impl ShardConfig {
    /// The usual settings.
    pub fn new(registry: Arc<Registry>, seed: u64) -> ShardConfig {
        ShardConfig {
            registry,
            evict_after: Duration::from_secs(2),
            linger: Duration::from_millis(10),
            resident_count_max: 20_000,
            batch_run_count_max: 1_024,
            inline_per_turn: 4_096,
            history_max: HISTORY_EVENT_COUNT_MAX,
            listeners: Arc::default(),
            seed,
            stopwatch: || Duration::ZERO,
        }
    }
}

/// The runs of one core.
pub struct Shard<T> {
    config: ShardConfig,
    live: HashMap<Uuid, LiveRun<T>>,
    /// Runs that are to be brought to memory, with what they will be told then.
    loading: BTreeMap<Uuid, Loading<T>>,
    /// Runs with changes to seal, in the order of their first change.
    dirty: VecDeque<Uuid>,
    /// Runs that have had their turn and are not done.
    unfinished: VecDeque<Uuid>,
    /// Released attempts that are made on the spot.
    inline: VecDeque<AttemptOrder>,
    /// Attempts that are being made elsewhere in this process.
    flying: HashSet<(Uuid, String, u32)>,
    /// Keys of runs whose creation is not durable yet.
    keys: HashMap<(Arc<str>, String, String), Uuid>,
    /// Runs whose row lags behind, and since when.
    lagging: VecDeque<(Time, Uuid)>,
    batch: Option<Batch<T>>,
    /// The number of the last batch that was handed over, and of the last that was durable or failed.
    batch_number: u64,
    durable_number: u64,
    trouble: Trouble,
    /// When the oldest change that can wait for company came up.
    lingering_since: Option<Time>,
    is_urgent: bool,
    /// Messages that concern no run any more, to be thrown away with the next batch.
    waste: Vec<MessageKey>,
    is_halted: bool,
    is_fenced: bool,
    is_winding_up: bool,
    chance: u64,
    serialised: Duration,
}

impl<T> Shard<T> {
    /// A shard without runs.
    pub fn new(config: ShardConfig) -> Shard<T> {
        // Any odd number will do; zero would be stuck.
        let chance = config.seed.wrapping_mul(2).wrapping_add(1);
        Shard {
            config,
            live: HashMap::new(),
            loading: BTreeMap::new(),
            dirty: VecDeque::new(),
            unfinished: VecDeque::new(),
            inline: VecDeque::new(),
            flying: HashSet::new(),
            keys: HashMap::new(),
            lagging: VecDeque::new(),
            batch: None,
            batch_number: 0,
            durable_number: 0,
            trouble: Trouble::default(),
            lingering_since: None,
            is_urgent: false,
            waste: Vec::new(),
            is_halted: false,
            is_fenced: false,
            is_winding_up: false,
            chance,
            serialised: Duration::ZERO,
        }
    }

    /// How many runs are in memory.
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// How long events and rows were turned into texts so far.
    pub fn serialised(&self) -> Duration {
        self.serialised
    }

    /// Whether commits fail at present.
    pub fn is_in_trouble(&self) -> bool {
        self.trouble.until.is_some() || self.is_fenced
    }

    /// Begins nothing more, and commits what has gathered. What is left is for the next server.
    pub fn wind_up(&mut self) {
        self.is_winding_up = true;
        self.is_urgent = true;
        self.inline.clear();
        self.unfinished.clear();
    }

    /// Whether [`Shard::wind_up`] was called.
    pub fn is_winding_up(&self) -> bool {
        self.is_winding_up
    }

    /// Whether nothing is left to commit.
    pub fn is_settled(&self) -> bool {
        self.batch.is_none() && (self.dirty.is_empty() || self.is_in_trouble())
    }

    /// Whether the next [`Shard::turn`] has something to do at once.
    pub fn has_work(&self) -> bool {
        !self.inline.is_empty() || !self.unfinished.is_empty()
    }

    /// When the next [`Shard::turn`] is due although nothing has come in.
    pub fn next_deadline(&self) -> Option<Time> {
        let linger = self.lingering_since.map(|since| since.plus(self.config.linger));
        let linger = linger.filter(|_| self.batch.is_none());
        let lagging = self.lagging.front().map(|(since, _)| since.plus(commit::ROW_LAG_MAX));
        linger.into_iter().chain(lagging).chain(self.trouble.until).min()
    }

    /// Takes one input.
    pub fn step(&mut self, now: Time, input: Input<T>, out: &mut Vec<Output<T>>) {
        if self.is_fenced {
            return refuse_all(input, out);
        }
        match input {
            Input::Create(creates) => {
                for create in creates {
                    self.create(now, create, out);
                }
            }
            Input::Observe(observed) => {
                for observe in observed {
                    self.observe(now, observe, out);
                }
            }
            Input::Command { run_id, command, ticket } => {
                self.command(now, run_id, command, ticket, out);
            }
            Input::Report { run_id, path, attempt, report } => {
                self.report(now, run_id, path, attempt, report);
            }
            Input::Timer { run_id, path } => self.timer(now, run_id, path, out),
            Input::Tell { run_id, what } => self.tell(now, run_id, what, out),
            Input::Message(message) => self.message(now, message, out),
            Input::Halt(is_halted) => self.halt(now, is_halted),
            Input::Adopt { run_id } => self.adopt(run_id, out),
            Input::Loaded { run_id, found } => self.loaded(now, run_id, found, out),
            Input::Committed(result) => self.committed(now, result, out),
        }
    }

    /// Goes on with what is left, and hands over the next batch if it is time.
    pub fn turn(&mut self, now: Time, out: &mut Vec<Output<T>>) {
        if self.is_fenced {
            return;
        }
        if self.is_winding_up {
            self.wind_up();
        }
        for _ in 0..self.unfinished.len() {
            let Some(run_id) = self.unfinished.pop_front() else { break };
            self.go_on(now, run_id);
        }
        for _ in 0..self.config.inline_per_turn {
            let Some(order) = self.inline.pop_front() else { break };
            self.make_inline(now, order);
        }
        self.mind_lagging_rows(now);
        self.mind_trouble(now, out);
        self.flush(now, out);
    }

    fn command(
        &mut self,
        now: Time,
        run_id: Uuid,
        command: Command,
        ticket: T,
        out: &mut Vec<Output<T>>,
    ) {
        if self.trouble.until.is_some() {
            let message = "the store takes no writes at present".to_owned();
            out.push(Output::Answer(ticket, Answer::Unavailable(message)));
            return;
        }
        let moment = self.moment(now);
        let Some(run) = self.live.get_mut(&run_id) else {
            self.hold(run_id, load::Held::Command(command, ticket), out);
            return;
        };
        if let Command::Why { step } = command {
            let why = Box::new(run.state.why(&run.plan, step.as_deref()));
            out.push(Output::Answer(ticket, Answer::Why(why)));
            return self.let_go_if_idle(now, run_id);
        }
        if let Command::Asked { path } = command {
            let asked = AskView::of(&run.state, &path);
            let answer = asked.map_or_else(Answer::Refused, |view| Answer::Asked(Box::new(view)));
            out.push(Output::Answer(ticket, answer));
            return self.let_go_if_idle(now, run_id);
        }
        if let Command::ShowTask { path } = command {
            let view = TaskView::of(&run.project, &run.state, &path);
            let answer = view.map_or_else(
                || Answer::Refused(Refused::NoSuchStep(path)),
                |view| Answer::Task(Box::new(view)),
            );
            out.push(Output::Answer(ticket, answer));
            return self.let_go_if_idle(now, run_id);
        }
        if let Command::Task { path, act } = command {
            return self.task(now, run_id, (path, act), ticket, out);
        }
        let result = match command {
            Command::Pilot { path, by, act } => run.take(moment, What::Pilot { path, by, act }),
            Command::Cancel { by, reason } => run.take(moment, What::Cancel { by, reason }),
            Command::Terminate { by, reason } => run.take(moment, What::Terminate { by, reason }),
            Command::Pause { by, reason } => run.take(moment, What::Pause { by, reason }),
            Command::Resume { by, reason } => {
                let resumed = run.take(moment, What::Resume { by, reason });
                if resumed.is_ok() {
                    run.pending.effects.append(&mut run.withheld);
                    // It may have been its turn meanwhile.
                    out.extend(Ask::of(&run.state).map(Output::Ask));
                }
                resumed
            }
            Command::Mark { path, mark, by, reason } => {
                run.take(moment, What::Mark { path, mark, by, reason })
            }
            Command::Vote { path, vote } => run.take(moment, What::Vote { path, vote }),
            Command::Signal { name, payload, by, id } => {
                run.take(moment, What::Signal { name, payload, by, id })
            }
            Command::Event { path, name, data, by } => {
                run.take(moment, What::Event { path, name, data, by })
            }
            Command::Record { path, attempt, key, value, call } => {
                run.record(moment, (path, attempt), (key, value), call)
            }
            Command::Wake
            | Command::Why { .. }
            | Command::Asked { .. }
            | Command::ShowTask { .. }
            | Command::Task { .. } => Ok(0),
        };
        match result {
            Ok(_) => {
                run.pending.replies.push(ticket);
                self.touch(now, run_id, true);
                self.go_on(now, run_id);
            }
            Err(refused) => self.refuse(now, run_id, refused, ticket, out),
        }
    }

    /// Says no. The reason may be something that is not durable yet: then the answer waits for that.
    fn refuse(
        &mut self,
        now: Time,
        run_id: Uuid,
        refused: Refused,
        ticket: T,
        out: &mut Vec<Output<T>>,
    ) {
        let durable_number = self.durable_number;
        match self.live.get_mut(&run_id) {
            Some(run) if run.is_dirty || run.sealed_in > durable_number => {
                run.pending.told.push((ticket, Answer::Refused(refused)));
                self.touch(now, run_id, true);
            }
            _ => {
                out.push(Output::Answer(ticket, Answer::Refused(refused)));
                self.let_go_if_idle(now, run_id);
            }
        }
    }

    /// A worker outside says something of what it holds, or wants to hold.
    fn task(
        &mut self,
        now: Time,
        run_id: Uuid,
        (path, act): (String, TaskAct),
        ticket: T,
        out: &mut Vec<Output<T>>,
    ) {
        let moment = self.moment(now);
        let is_halted = self.is_halted && matches!(act, TaskAct::Claim { .. });
        let Some(run) = self.live.get_mut(&run_id) else { return };
        let taken = match is_halted {
            true => Err(Refused::Paused),
            false => run.take(moment, What::Task { path: path.clone(), act }),
        };
        if let Err(refused) = taken {
            return self.refuse(now, run_id, refused, ticket, out);
        }
        // The view is of this moment, and is told once that is durable.
        if let Some(view) = TaskView::of(&run.project, &run.state, &path) {
            run.pending.told.push((ticket, Answer::Task(Box::new(view))));
        } else {
            run.pending.replies.push(ticket);
        }
        self.touch(now, run_id, true);
        self.go_on(now, run_id);
    }

    fn timer(&mut self, now: Time, run_id: Uuid, path: String, out: &mut Vec<Output<T>>) {
        let moment = self.moment(now);
        let Some(run) = self.live.get_mut(&run_id) else {
            self.hold(run_id, load::Held::Timer(path), out);
            return;
        };
        match run.take(moment, What::TimerFired { path }) {
            Ok(_) => {
                self.touch(now, run_id, true);
                self.go_on(now, run_id);
            }
            Err(Refused::TooEarly { path, until }) => {
                let timer = windlass_store::TimerRow { due_at: until, run_id, path };
                out.push(Output::Timer(timer));
                self.let_go_if_idle(now, run_id);
            }
            // It fired twice, or the step has ended meanwhile.
            Err(_) => self.let_go_if_idle(now, run_id),
        }
    }

    /// Tells a run something that it may refuse, wherever it is.
    fn tell(&mut self, now: Time, run_id: Uuid, what: What, out: &mut Vec<Output<T>>) {
        if !self.live.contains_key(&run_id) {
            return self.hold(run_id, load::Held::Tell(what), out);
        }
        if self.tell_live(now, run_id, what).is_err() {
            self.let_go_if_idle(now, run_id);
        }
    }

    /// Stands still, or goes on with every run in memory. Runs that are elsewhere go on by their
    /// timers.
    fn halt(&mut self, now: Time, is_halted: bool) {
        if std::mem::replace(&mut self.is_halted, is_halted) == is_halted || is_halted {
            return;
        }
        let mut waiting: Vec<Uuid> = self.live.keys().copied().collect();
        waiting.sort_unstable();
        for run_id in waiting {
            let Some(run) = self.live.get_mut(&run_id) else { continue };
            if !run.withheld.is_empty() {
                run.pending.effects.append(&mut run.withheld);
                self.touch(now, run_id, true);
            }
            self.go_on(now, run_id);
        }
    }

    /// Takes the steps that follow from the state of a run, as far as its turn goes.
    fn go_on(&mut self, now: Time, run_id: Uuid) {
        let moment = self.moment(now);
        let history_max = self.config.history_max;
        let Some(run) = self.live.get_mut(&run_id) else { return };
        if self.is_halted && !run.state.is_forced_out() {
            return;
        }
        let events_before = run.pending.event_count();
        let is_done = run.advance(moment, history_max);
        let has_changed = run.pending.event_count() > events_before;
        if !is_done {
            self.unfinished.push_back(run_id);
        }
        if has_changed {
            self.touch(now, run_id, true);
        }
    }

    /// Notes that a run has changes to seal; `urgent` ones do not wait for company.
    fn touch(&mut self, now: Time, run_id: Uuid, urgent: bool) {
        let Some(run) = self.live.get_mut(&run_id) else { return };
        if !run.is_dirty {
            run.is_dirty = true;
            self.dirty.push_back(run_id);
        }
        if urgent {
            self.is_urgent = true;
        } else {
            self.lingering_since.get_or_insert(now);
        }
    }

    /// Lets a run leave memory if nothing of it is only there.
    fn let_go_if_idle(&mut self, now: Time, run_id: Uuid) {
        let Some(run) = self.live.get(&run_id) else { return };
        // Whoever waits for its end is answered with its next commit.
        let is_written =
            !run.is_dirty && run.sealed_in <= self.durable_number && run.until_over.is_empty();
        let is_over = run.state.status.is_terminal();
        if is_written && (is_over || self.may_leave(now, run)) {
            self.live.remove(&run_id);
        }
    }

    /// Whether a run waits so long that memory is too good for it. What workers may ask for at any
    /// moment, and what another program may go on with, stays as long as there is room: bringing it
    /// back costs more than it takes.
    fn may_leave(&self, now: Time, run: &LiveRun<T>) -> bool {
        if self.live.len() <= self.config.resident_count_max
            && run.state.status == RunStatus::Waiting
            && run.state.has_offers()
        {
            return false;
        }
        if self.live.len() <= self.config.resident_count_max
            && run.state.observed().is_some_and(|observed| observed.inferred.is_none())
        {
            return false;
        }
        let is_far = |due: Time| due.since(now) > self.config.evict_after;
        run.state.is_parked()
            && (run.state.status != RunStatus::Waiting || run.state.next_due().is_none_or(is_far))
    }

    fn moment(&mut self, now: Time) -> Moment {
        // SplitMix64: small, and the same everywhere for the same seed.
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        Moment { now, dice: (mixed >> 11) as f64 / (1_u64 << 53) as f64 }
    }
}

/// What is told to a shard that may write nothing more.
fn refuse_all<T>(input: Input<T>, out: &mut Vec<Output<T>>) {
    let message = "another server owns the store";
    let mut refuse = |ticket| {
        out.push(Output::Answer(ticket, Answer::Unavailable(message.to_owned())));
    };
    match input {
        Input::Create(creates) => {
            creates.into_iter().filter_map(|create| create.ticket).for_each(refuse);
        }
        Input::Observe(observed) => observed.into_iter().for_each(|one| refuse(one.ticket)),
        Input::Command { ticket, .. } => refuse(ticket),
        _ => {}
    }
}
