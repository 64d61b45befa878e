//! The world around the machines: queues, a disk, people, a clock, and misfortune.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::definition::Plan;
use windlass_core::run::{CreateRun, Fact, RunState, RunStatus, STATE_VERSION, UnitTerms};
use windlass_engine::ids::shard_of;
use windlass_engine::shard::*;
use windlass_engine::timers::Wanted;
use windlass_nodes::Registry;
use windlass_store::{IdempotencyKey, LogStream, MemoryStore, Store, StoreError};

use crate::actors::Actors;
use crate::chance::Chance;
use crate::family::CHILD;
use crate::fate::{ByChance, Ending, Fate, Writing};
use crate::oracle::Oracle;
use crate::plans::{child_plan, random_plan, registry};
use crate::process::{Process, SHARDS, Work};
use crate::units::random_instance;
use crate::word::WORDS;

pub(crate) const PROJECT: &str = "default";

pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) now: Time,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) plans: BTreeMap<Uuid, Arc<Plan>>,
    registry: Arc<Registry>,
    pub(crate) fate: Box<dyn Fate>,
    pub(crate) actors: Actors,
    pub(crate) process: Process,
    pub(crate) oracle: Oracle,
    pub(crate) next_ticket: u64,
    /// Whether everything is stopped. It outlives the process.
    pub(crate) is_halted: bool,
    next_run: u128,
    seen: BTreeMap<&'static str, u64>,
    hasher: DefaultHasher,
    pub(crate) faults: bool,
    is_traced: bool,
}

impl World {
    /// A world of random definitions, where everything goes wrong that can.
    pub(crate) fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let random = (1..=3).map(|id| (Uuid::from_u128(id), random_plan(&mut chance)));
        let plans = random.chain([(CHILD, child_plan("work"))]).collect();
        World { faults: true, ..World::with(chance, plans, registry(), Box::new(ByChance)) }
    }

    /// A world of units of work, where everything goes wrong that can.
    pub(crate) fn of_units(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let random = (1..=3).map(|id| (Uuid::from_u128(id), random_instance(&mut chance)));
        let plans = random.collect();
        World { faults: true, ..World::with(chance, plans, registry(), Box::new(ByChance)) }
    }

    /// A world where nothing goes wrong but what `fate` decides.
    pub(crate) fn with(
        mut chance: Chance,
        mut plans: BTreeMap<Uuid, Arc<Plan>>,
        registry: Arc<Registry>,
        fate: Box<dyn Fate>,
    ) -> World {
        plans.entry(CHILD).or_insert_with(|| child_plan("start"));
        let store = Arc::new(MemoryStore::new());
        let now = Time::from_micros(1_000_000);
        let process = Process::start(&store, now, &mut chance, &registry, false);
        World {
            chance,
            now,
            oracle: Oracle::default(),
            store,
            plans,
            registry,
            fate,
            actors: Actors::default(),
            process,
            next_ticket: 0,
            is_halted: false,
            next_run: 0,
            seen: BTreeMap::new(),
            hasher: DefaultHasher::new(),
            faults: false,
            is_traced: crate::setting("WINDLASS_SIM_TRACE").is_some(),
        }
    }

    pub(crate) fn seen(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.seen.iter().map(|(marker, count)| (*marker, *count))
    }

    pub(crate) fn trace_hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// `WINDLASS_SIM_TRACE=1` tells the whole story.
    fn trace(&self, line: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{} {}", self.now.micros(), line());
        }
    }

    pub(crate) fn mark(&mut self, marker: &'static str) {
        *self.seen.entry(marker).or_default() += 1;
        marker.hash(&mut self.hasher);
    }

    pub(crate) fn play_with_faults(&mut self) {
        let turns = 200 + self.chance.below(600);
        for _ in 0..turns {
            self.play_one();
        }
    }

    /// No more faults, no more clients: everything that can end must end.
    pub(crate) fn play_to_the_end(&mut self) {
        self.faults = false;
        self.halt(false);
        for turn in 0..60_000 {
            // Looking at every run costs more than many turns.
            if turn % 20 == 0 {
                self.resume_all();
                self.settle_all();
                if turn % 100 == 0 {
                    self.serve_all();
                }
                if turn % 2_000 == 0 {
                    self.help_all();
                }
                // Not before they have heard what was said last: they would hear nothing else.
                if turn % 500 == 0 {
                    self.answer_all();
                }
                if self.is_at_rest() {
                    return;
                }
            }
            self.play_one();
        }
        self.oracle.complain_of_stuck_runs(&*self.store);
    }

    fn is_at_rest(&self) -> bool {
        let process = &self.process;
        process.inboxes.iter().all(VecDeque::is_empty)
            && process.loads.is_empty()
            && process.group.is_none()
            && self.store.messages(None, 1).unwrap().items.is_empty()
            && process.work.is_empty()
            && process.committer.is_idle()
            && process.shards.iter().all(|shard| !shard.has_work())
            && !self.oracle.is_anybody_waiting()
            && !self.actors.is_anybody_waiting()
            && self.oracle.unfinished(&*self.store).is_empty()
    }

    pub(crate) fn check_the_end(&mut self) {
        self.oracle.check_journals(&*self.store, &self.plans);
        self.check_units();
        self.check_desk();
        for kind in WORDS {
            let asks = self.store.asks(PROJECT, kind, None, None, 9).unwrap().items;
            assert_eq!(asks, [], "whoever is over waits for nobody");
        }
    }

    fn play_one(&mut self) {
        let shard = self.chance.below(SHARDS);
        let choice = self.chance.below(if self.faults { 100 } else { 80 });
        (choice, shard, self.now).hash(&mut self.hasher);
        match choice {
            0..20 => self.deliver(shard),
            20..40 => self.turn(shard),
            40..50 => self.commit(),
            50..56 => self.load(),
            56..68 => self.work(),
            68..72 => self.tick_timers(),
            72..74 => self.sweep(),
            74..77 => self.hand_over(),
            77..80 => self.pass_time(),
            80..86 => self.create(),
            86..91 => self.act(),
            91..93 => self.cancel(),
            93 => self.talk(),
            94 if self.chance.one_in(2) => self.hold_up(),
            94 => self.say(),
            95..97 => self.repeat_a_result(),
            97 => self.crash(),
            _ => self.pass_time(),
        }
        for marker in self.oracle.take_seen() {
            self.mark(marker);
        }
    }

    fn deliver(&mut self, shard: usize) {
        for _ in 0..=self.chance.below(8) {
            let Some(input) = self.process.inboxes[shard].pop_front() else { return };
            self.trace(|| format!("shard {shard} hears {input:?}"));
            let mut out = Vec::new();
            self.process.shards[shard].step(self.now, input, &mut out);
            self.perform(shard, out);
        }
    }

    fn turn(&mut self, shard: usize) {
        let mut out = Vec::new();
        self.process.shards[shard].turn(self.now, &mut out);
        self.perform(shard, out);
    }

    fn perform(&mut self, shard: usize, out: Vec<Output<u64>>) {
        for output in out {
            self.trace(|| format!("shard {shard} says {output:?}"));
            match output {
                Output::Load { run_id } => self.process.loads.push((shard, run_id)),
                Output::Commit(batch) => {
                    if batch.iter().any(|write| write.snapshot.is_some()) {
                        self.mark("evicted");
                    }
                    self.process.committer.take(shard, batch);
                }
                Output::Start(order) => {
                    self.oracle.started(&*self.store, &order);
                    self.process.work.push(Work { order, started_at: None });
                }
                Output::Stop { run_id, path } => {
                    self.process
                        .work
                        .retain(|work| work.order.run_id != run_id || work.order.path != path);
                }
                Output::Timer(timer) => self.process.timers.set(timer),
                Output::Publish(published) => {
                    self.check_lost_attempts(&published);
                    self.oracle.published(&*self.store, &published);
                }
                Output::Answer(ticket, answer) => self.answered(ticket, answer),
                Output::Ask(ask) => {
                    let verdicts = self.process.gate.ask(&ask);
                    self.tell_all(verdicts);
                }
                Output::Over { run_id } => {
                    let verdicts = self.process.gate.over(run_id);
                    self.tell_all(verdicts);
                }
                Output::Tasks(changes) => self.hear_of_tasks(changes),
                Output::Send(message) => self.process.mail.push(message),
                Output::Fenced => panic!("nobody else is there"),
            }
        }
    }

    /// Only what nobody makes any more is given up as lost.
    fn check_lost_attempts(&self, published: &Published) {
        for numbered in &published.events {
            if let Fact::AttemptInterrupted { path, attempt, .. } = &numbered.event.fact {
                let is_made = self.process.work.iter().any(|work| {
                    let order = &work.order;
                    order.run_id == published.run_id
                        && order.path == *path
                        && order.attempt == *attempt
                });
                assert!(!is_made, "attempt {attempt} of `{path}` is given up while it is made");
            }
        }
    }

    fn answered(&mut self, ticket: u64, answer: Answer) {
        ticket.hash(&mut self.hasher);
        if self.told_actor(ticket, &answer) {
            return;
        }
        if let Answer::Existing { .. } = &answer {
            self.mark("key repeated");
        }
        if let Answer::Run(view) = &answer {
            match view.status {
                RunStatus::Cancelled => self.mark("cancelled"),
                status if status.is_terminal() => self.mark("finished"),
                _ => {}
            }
        }
        self.oracle.answered(&*self.store, ticket, &answer);
    }

    /// Begins a transaction, or ends the one under way, for better or worse.
    fn commit(&mut self) {
        let Some(group) = self.process.group.take() else {
            self.process.group = self.process.committer.next_group();
            return;
        };
        let outcome = match self.fate.writing(&group) {
            Writing::CrashBefore => return self.crash(),
            Writing::CrashAfter => 3,
            Writing::Goes if self.faults => self.chance.below(20),
            Writing::Goes => 9,
        };
        let epoch = self.process.epoch;
        let result = match outcome {
            0 => {
                self.mark("commit refused");
                Err(StoreError::Unavailable("full".into()))
            }
            1 => {
                self.mark("commit written but reported lost");
                self.store.commit(epoch, &group).unwrap();
                Err(StoreError::OutcomeUnknown("sync".into()))
            }
            2 => Err(StoreError::OutcomeUnknown("sync".into())),
            3 => {
                self.mark("crash after a commit nobody heard of");
                self.store.commit(epoch, &group).unwrap();
                return self.crash();
            }
            _ => self.store.commit(epoch, &group),
        };
        let outcomes = self.process.committer.done(result);
        if outcomes.len() > 1 {
            self.mark("two shards in a group");
        }
        for (shard, outcome) in outcomes {
            self.process.inboxes[shard].push_back(Input::Committed(outcome));
        }
    }

    fn load(&mut self) {
        if self.process.loads.is_empty() {
            return;
        }
        let place = self.chance.below(self.process.loads.len());
        let (shard, run_id) = self.process.loads.swap_remove(place);
        let found = if self.faults && self.chance.one_in(20) {
            Err(StoreError::Unavailable("busy".into()))
        } else {
            Ok(self.find(run_id))
        };
        self.process.inboxes[shard].push_back(Input::Loaded { run_id, found });
    }

    fn find(&mut self, run_id: Uuid) -> Found {
        let Some(stored) = self.store.load_run(run_id, STATE_VERSION).unwrap() else {
            return Found::Nothing;
        };
        let has_snapshot = stored.snapshot.is_some();
        let events: Vec<_> = stored.events.iter().map(|numbered| &numbered.event).collect();
        let state = match &stored.snapshot {
            Some(snapshot) => {
                let mut state: RunState = serde_json::from_str(&snapshot.state).unwrap();
                events.into_iter().for_each(|event| state.evolve(event));
                state
            }
            None => RunState::replay(events).unwrap(),
        };
        if stored.row.owner < self.process.epoch {
            self.mark("adopted");
        }
        Found::Run(Box::new(LoadedRun {
            project: Arc::from(stored.row.project.as_str()),
            plan: self.plans[&stored.row.definition_id].clone(),
            bytes: state.bytes(),
            state,
            last_seq: stored.row.last_seq,
            last_log_seq: stored.last_log_seq,
            has_snapshot,
            is_orphan: stored.row.owner < self.process.epoch,
        }))
    }

    /// An attempt somewhere makes progress: it begins, writes a line, or ends.
    fn work(&mut self) {
        if self.process.work.is_empty() {
            return;
        }
        let place = self.chance.below(self.process.work.len());
        let now = self.now;
        let work = &mut self.process.work[place];
        let (run_id, path) = (work.order.run_id, work.order.path.clone());
        let attempt = work.order.attempt;
        let report = match work.started_at {
            None => {
                work.started_at = Some(now);
                self.oracle.worked(&work.order);
                Report::Started { at: now }
            }
            Some(_) if self.chance.one_in(4) => {
                Report::Logs { lines: vec![(now, LogStream::Stdout, "line".into())] }
            }
            Some(started_at) => {
                let Work { order, .. } = self.process.work.swap_remove(place);
                let result = match self.fate.ending(&order, &mut self.chance) {
                    Ending::Crash => return self.crash(),
                    Ending::Result(result) => result,
                };
                if result.is_err() {
                    self.mark("work failed");
                }
                let ended = Report::Ended { started_at, result };
                if self.faults && self.chance.one_in(10) {
                    self.mark("result twice");
                    self.send(
                        run_id,
                        Input::Report {
                            run_id,
                            path: path.clone(),
                            attempt,
                            report: ended.clone(),
                        },
                    );
                }
                self.oracle.remember_result(run_id, &path, attempt);
                ended
            }
        };
        self.send(run_id, Input::Report { run_id, path, attempt, report });
    }

    /// A result of long ago comes once more.
    fn repeat_a_result(&mut self) {
        let Some((run_id, path, attempt)) = self.oracle.old_result(self.chance.below(1_000)) else {
            return;
        };
        self.mark("result late");
        let result = Ok(Arc::new(json!("late")));
        let report = Report::Ended { started_at: self.now, result };
        self.send(run_id, Input::Report { run_id, path, attempt, report });
    }

    pub(crate) fn send(&mut self, run_id: Uuid, input: Input<u64>) {
        self.process.inboxes[shard_of(run_id, SHARDS)].push_back(input);
    }

    fn tick_timers(&mut self) {
        if self.is_halted {
            return;
        }
        if let Some((until, limit)) = self.process.timer_load.take() {
            let found = self.store.due_timers(until, limit).unwrap();
            let found = (!self.faults || !self.chance.one_in(10)).then_some(found);
            self.process.timers.loaded(self.now, until, found);
            return;
        }
        for wanted in self.process.timers.tick(self.now) {
            match wanted {
                Wanted::Load { until, limit } => self.process.timer_load = Some((until, limit)),
                Wanted::Fire(timer) => {
                    self.mark("woken by timer");
                    let (run_id, path) = (timer.run_id, timer.path);
                    self.send(run_id, Input::Timer { run_id, path });
                }
            }
        }
    }

    fn sweep(&mut self) {
        if let Some(look) = self.process.sweeper.tick(self.now) {
            let epoch = self.process.epoch;
            let page = self.store.orphans(epoch, look.after, look.limit).unwrap();
            self.process.sweeper.found(self.now, Some(&page));
            for run_id in page {
                self.send(run_id, Input::Adopt { run_id });
            }
        }
    }

    fn pass_time(&mut self) {
        let millis = if self.chance.one_in(30) {
            self.mark("clock set forward");
            *self.chance.of(&[30_000, 3_600_000])
        } else {
            *self.chance.of(&[0, 1, 20, 200, 1_000])
        };
        self.now = self.now.plus(Duration::from_millis(millis));
    }

    fn create(&mut self) {
        let count = if self.chance.one_in(6) { 3 } else { 1 };
        let shard = self.chance.below(SHARDS);
        let mut creates = Vec::new();
        for _ in 0..count {
            let definition_id = Uuid::from_u128(1 + self.chance.below(3) as u128);
            let key = self.chance.one_in(3).then(|| {
                let name = self.chance.below(4);
                IdempotencyKey {
                    route: "execute".into(),
                    // A key belongs to the shard of its hash.
                    key: format!("{shard}-{name}"),
                    request_hash: format!("h{name}"),
                }
            });
            let input = match self.plans[&definition_id].tokens {
                Some(_) => {
                    json!({ "amount": self.chance.below(200), "rounds": 0, "flagged": false })
                }
                None => json!(self.chance.one_in(2)),
            };
            let until_over = self.chance.one_in(3);
            let create = self.request(shard, definition_id, input);
            self.oracle.asked_to_create(self.next_ticket, create.request.run_id, key.as_ref());
            self.mark("created");
            creates.push(Create { key, until_over, ..create });
        }
        self.process.inboxes[shard].push_back(Input::Create(creates));
    }

    /// Creates a run, and answers its id.
    pub(crate) fn begin(&mut self, definition_id: Uuid, input: Value) -> Uuid {
        let create = self.request(0, definition_id, input);
        let run_id = create.request.run_id;
        self.oracle.asked_to_create(self.next_ticket, run_id, None);
        self.process.inboxes[0].push_back(Input::Create(vec![create]));
        run_id
    }

    fn request(&mut self, shard: usize, definition_id: Uuid, input: Value) -> Create<u64> {
        let run_id = loop {
            self.next_run += 1;
            let run_id = Uuid::from_u128(1_000 + self.next_run);
            if shard_of(run_id, SHARDS) == shard {
                break run_id;
            }
        };
        self.next_ticket += 1;
        Create {
            project: Arc::from(PROJECT),
            plan: self.plans[&definition_id].clone(),
            request: CreateRun {
                run_id,
                workflow_id: definition_id,
                version: 1,
                definition_id,
                input,
                unit: self.plans[&definition_id].tokens.is_some().then(UnitTerms::default),
                ..CreateRun::default()
            },
            key: None,
            until_over: false,
            paused_by: None,
            message: None,
            ticket: Some(self.next_ticket),
        }
    }

    fn cancel(&mut self) {
        let Some(run_id) = self.oracle.some_run(self.chance.below(1_000)) else { return };
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.oracle.asked_to_cancel(ticket, run_id);
        let command = match self.chance.below(4) {
            0 => Command::Terminate { by: "somebody".into(), reason: None },
            _ => Command::Cancel { by: "somebody".into(), reason: None },
        };
        self.send(run_id, Input::Command { run_id, command, ticket });
    }

    /// Somebody asks for a run that may not be in memory.
    fn talk(&mut self) {
        let Some(run_id) = self.oracle.some_run(self.chance.below(1_000)) else { return };
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.send(run_id, Input::Command { run_id, command: Command::Wake, ticket });
    }

    /// The process is gone, with everything that was only in its memory and every child of it.
    fn crash(&mut self) {
        self.trace(|| "crash".to_owned());
        self.mark("crash");
        if !self.process.work.is_empty() {
            self.mark("crash with work");
            if self.process.work.iter().any(|work| work.started_at.is_some()) {
                self.mark("work lost");
            }
        }
        self.oracle.crashed();
        self.actors.crashed();
        // Within a process the clock only goes forward; the next one may find it set back.
        if self.chance.one_in(4) {
            self.mark("clock set back");
            let back = *self.chance.of(&[1_000_000, 60_000_000, 3_600_000_000]);
            self.now = Time::from_micros((self.now.micros() - back).max(1_000_000));
        }
        let registry = &self.registry;
        self.process =
            Process::start(&self.store, self.now, &mut self.chance, registry, self.is_halted);
    }
}
