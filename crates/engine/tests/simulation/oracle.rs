//! What must be true, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;
use windlass_core::definition::{self, Plan};
use windlass_core::run::{Fact, RunState, RunStatus, STATE_VERSION, StepStatus, path};
use windlass_engine::shard::{Answer, AttemptOrder, Published};
use windlass_store::{IdempotencyKey, LogFilter, NumberedEvent, RunFilter, Store};

use crate::world::PROJECT;

type AttemptId = (Uuid, String, u32);

#[derive(Default)]
pub(crate) struct Oracle {
    creating: BTreeMap<u64, (Uuid, Option<String>)>,
    cancelling: BTreeMap<u64, Uuid>,
    /// Runs whose creation was acknowledged.
    acknowledged: BTreeSet<Uuid>,
    /// Runs whose cancellation was acknowledged.
    cancelled: BTreeSet<Uuid>,
    /// Runs that somebody wanted to go on after a pause.
    pub(crate) resumed: BTreeSet<Uuid>,
    /// The run each key stands for, once that was acknowledged.
    keys: BTreeMap<String, Uuid>,
    /// Attempts that were released. Each number only once, over all processes.
    started: BTreeSet<AttemptId>,
    /// Attempts that did something.
    worked: BTreeSet<AttemptId>,
    results: Vec<AttemptId>,
    /// The last event each run has published in this process.
    published: BTreeMap<Uuid, u64>,
    /// Whether a start was left out because its end was written with it. It takes a while to see.
    has_taken_back: bool,
    /// What happened that must happen sometimes.
    seen: Vec<&'static str>,
}

fn journal(store: &dyn Store, run_id: Uuid) -> Vec<NumberedEvent> {
    store.events(run_id, 0, usize::MAX, usize::MAX).unwrap().items
}

fn folded(store: &dyn Store, run_id: Uuid) -> Option<RunState> {
    let events = journal(store, run_id);
    RunState::replay(events.iter().map(|numbered| &numbered.event))
}

fn all_runs(store: &dyn Store) -> Vec<windlass_store::RunRow> {
    store.runs(PROJECT, &RunFilter::default(), None, usize::MAX - 1).unwrap().items
}

impl Oracle {
    pub(crate) fn take_seen(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.seen)
    }

    pub(crate) fn asked_to_create(
        &mut self,
        ticket: u64,
        run_id: Uuid,
        key: Option<&IdempotencyKey>,
    ) {
        let key_of = |key: &IdempotencyKey| key.key.clone();
        if key.is_some_and(|key| self.creating.values().any(|(_, of)| *of == Some(key_of(key)))) {
            self.seen.push("key joined");
        }
        self.creating.insert(ticket, (run_id, key.map(|key| key.key.clone())));
    }

    pub(crate) fn asked_to_cancel(&mut self, ticket: u64, run_id: Uuid) {
        self.cancelling.insert(ticket, run_id);
    }

    /// Whether somebody has not been answered yet. Nobody waits for ever.
    pub(crate) fn is_anybody_waiting(&self) -> bool {
        !self.creating.is_empty() || !self.cancelling.is_empty()
    }

    pub(crate) fn some_run(&self, number: usize) -> Option<Uuid> {
        let runs: Vec<&Uuid> = self.acknowledged.iter().collect();
        (!runs.is_empty()).then(|| *runs[number % runs.len()])
    }

    pub(crate) fn answered(&mut self, store: &dyn Store, ticket: u64, answer: &Answer) {
        let cancelling = self.cancelling.remove(&ticket);
        let Some((asked, key)) = self.creating.remove(&ticket) else {
            if let (Some(run_id), Answer::Run(_)) = (cancelling, answer) {
                self.cancelled.insert(run_id);
                let state = folded(store, run_id).unwrap();
                let is_told = state.status.is_terminal()
                    || journal(store, run_id)
                        .iter()
                        .any(|numbered| matches!(numbered.event.fact, Fact::Stopping { .. }));
                assert!(is_told, "an acknowledged cancel is in the journal");
            }
            return;
        };
        let run_id = match answer {
            Answer::Run(view) => {
                assert_eq!(view.run_id, asked);
                asked
            }
            Answer::Existing { run_id, .. } => {
                assert!(key.is_some(), "only a key stands for another run");
                *run_id
            }
            Answer::Unavailable(_) | Answer::OutcomeUnknown(_) => return,
            other => panic!("{other:?}"),
        };
        let row = store.run(PROJECT, &run_id.to_string()).unwrap();
        assert!(row.is_some(), "what is acknowledged is durable");
        self.acknowledged.insert(run_id);
        if let Some(key) = key {
            let stands_for = *self.keys.entry(key).or_insert(run_id);
            assert_eq!(stands_for, run_id, "a key stands for one run");
        }
        if let Answer::Run(view) = answer {
            let state = folded(store, run_id).unwrap();
            if view.status.is_terminal() {
                assert_eq!(view.status, state.status, "an end that was told stays");
                assert_eq!(view.output, state.output);
            }
        }
    }

    /// An attempt leaves: it must be durable that it is to be made, and nothing may speak against.
    pub(crate) fn started(&mut self, store: &dyn Store, order: &AttemptOrder) {
        let id = (order.run_id, order.path.clone(), order.attempt);
        assert!(self.started.insert(id.clone()), "{id:?} is released once");
        // The plans call the clean-up of a `try` `f`.
        let cleans_up = path::node_of(&order.path) == "f" || order.path.ends_with(path::UNDO);
        let is_cancelled = self.cancelled.contains(&order.run_id);
        assert!(!is_cancelled || cleans_up, "nothing starts after a cancel but clean-up: {id:?}");
        let state = folded(store, order.run_id).expect("an attempt of a durable run");
        // What was durable before somebody said that it goes on need not wait for their word.
        let is_held_up = state.pause().is_some() && !self.resumed.contains(&order.run_id);
        assert!(!is_held_up, "nothing starts while a run is paused: {id:?}");
        let step = state.step(&order.path).expect("an attempt of a durable step");
        assert_eq!(step.attempt, order.attempt, "{id:?}");
        let wanted = if step.effect == definition::Effect::Never {
            StepStatus::Running
        } else {
            StepStatus::Queued
        };
        assert_eq!(step.status, wanted, "intent before effect: {id:?}");
    }

    pub(crate) fn worked(&mut self, order: &AttemptOrder) {
        self.worked.insert((order.run_id, order.path.clone(), order.attempt));
    }

    pub(crate) fn remember_result(&mut self, run_id: Uuid, path: &str, attempt: u32) {
        self.results.push((run_id, path.to_owned(), attempt));
    }

    pub(crate) fn old_result(&self, number: usize) -> Option<AttemptId> {
        (!self.results.is_empty()).then(|| self.results[number % self.results.len()].clone())
    }

    /// What is told to watchers is durable, in order and without a gap.
    pub(crate) fn published(&mut self, store: &dyn Store, published: &Published) {
        for numbered in &published.events {
            let stored = store.events_at(published.run_id, &[numbered.seq]).unwrap();
            assert_eq!(stored.first(), Some(numbered), "only durable events are published");
            self.note(store, published.run_id, numbered);
            if let Some(last) = self.published.insert(published.run_id, numbered.seq) {
                // A gap is possible where a commit was written but reported lost: the events were
                // not published, and watchers fill it from the store.
                assert!(numbered.seq > last, "events are published once and in order");
            }
        }
        for log in &published.logs {
            let stored = store
                .logs(published.run_id, log.log_seq - 1, &LogFilter::default(), 1)
                .unwrap()
                .items;
            assert_eq!(stored.first(), Some(log));
        }
    }

    fn note(&mut self, store: &dyn Store, run_id: Uuid, numbered: &NumberedEvent) {
        match &numbered.event.fact {
            Fact::StepParked { .. } => self.seen.push("outcome unknown"),
            Fact::JumpedBack { .. } => self.seen.push("jumped back"),
            Fact::RunAdmitted {} if numbered.seq == 2 => self.check_limit(store, run_id),
            Fact::StepSucceeded { path, attempt, started_at: Some(_), .. }
                if !self.has_taken_back
                    && self.worked.contains(&(run_id, path.clone(), *attempt)) =>
            {
                let start = Fact::AttemptStarted { path: path.clone(), attempt: *attempt };
                let events = journal(store, run_id);
                if !events.iter().any(|numbered| numbered.event.fact == start) {
                    self.has_taken_back = true;
                    self.seen.push("start taken back");
                }
            }
            _ => {}
        }
    }

    /// No more runs of a key have begun and are not over than may.
    fn check_limit(&mut self, store: &dyn Store, run_id: Uuid) {
        let rows = all_runs(store);
        let shared = rows.iter().find(|row| row.run_id == run_id);
        let Some(shared) = shared.and_then(|row| row.concurrency.as_ref()) else { return };
        let begun = rows.iter().filter(|row| {
            row.concurrency.as_ref() == Some(shared)
                && row.started_at.is_some()
                && !row.status.is_terminal()
        });
        let begun: Vec<Uuid> = begun.map(|row| row.run_id).collect();
        let limit = shared.limit as usize;
        assert!(begun.len() <= limit, "of `{}` at once: {begun:?}", shared.key);
        if rows
            .iter()
            .any(|row| row.concurrency.as_ref() == Some(shared) && row.status == RunStatus::Queued)
        {
            self.seen.push("held up by others");
        }
    }

    pub(crate) fn crashed(&mut self) {
        self.published.clear();
        // Nobody hears the answers any more.
        self.creating.clear();
        self.cancelling.clear();
    }

    /// Runs that could still go on by themselves.
    pub(crate) fn unfinished(&self, store: &dyn Store) -> Vec<Uuid> {
        let open = all_runs(store).into_iter().filter(|row| !row.status.is_terminal());
        open.map(|row| row.run_id).collect()
    }

    pub(crate) fn complain_of_stuck_runs(&self, store: &dyn Store) {
        if let Some(run_id) = self.unfinished(store).first() {
            let row = store.run(PROJECT, &run_id.to_string()).unwrap().unwrap();
            let facts: Vec<String> = journal(store, *run_id)
                .iter()
                .map(|numbered| {
                    let step = numbered.event.fact.step().unwrap_or("");
                    format!("{} {step}", numbered.event.fact.name())
                })
                .collect();
            panic!("run {run_id} is stuck: {:?} {:?}\n{facts:#?}", row.status, row.reason);
        }
        let (creating, cancelling) = (&self.creating, &self.cancelling);
        assert!(!self.is_anybody_waiting(), "never answered: {creating:?} {cancelling:?}");
        panic!("something goes on for ever");
    }

    pub(crate) fn check_journals(&self, store: &dyn Store, plans: &BTreeMap<Uuid, Arc<Plan>>) {
        let rows = all_runs(store);
        for run_id in &self.acknowledged {
            assert!(rows.iter().any(|row| row.run_id == *run_id), "an acknowledged run is lost");
        }
        for row in &rows {
            self.check_run(store, row, &plans[&row.definition_id]);
        }
    }

    fn check_run(&self, store: &dyn Store, row: &windlass_store::RunRow, plan: &Plan) {
        let run_id = row.run_id;
        let events = journal(store, run_id);
        let shown = store.run(PROJECT, &run_id.to_string()).unwrap().unwrap();
        let seqs: Vec<u64> = events.iter().map(|numbered| numbered.seq).collect();
        assert_eq!(seqs, (1..=shown.last_seq).collect::<Vec<_>>(), "no gap in the journal");
        let state = folded(store, run_id).unwrap();
        assert_eq!(
            (state.status, &state.reason),
            (row.status, &row.reason),
            "rows follow the journal"
        );
        assert_eq!(state.counts, shown.counts);
        let is_end = |fact: &Fact| {
            matches!(
                fact,
                Fact::RunSucceeded { .. } | Fact::RunFailed { .. } | Fact::RunCancelled { .. }
            )
        };
        let ends = events.iter().filter(|numbered| is_end(&numbered.event.fact)).count();
        assert_eq!(ends, usize::from(row.status.is_terminal()), "a run ends once");
        if row.status.is_terminal() {
            assert!(is_end(&events.last().unwrap().event.fact), "nothing follows the end");
            assert!(store.load_run(run_id, STATE_VERSION).unwrap().unwrap().snapshot.is_none());
        }
        self.check_steps(store, run_id, &events, plan);
        let timers =
            store.due_timers(windlass_core::Time::from_micros(i64::MAX), usize::MAX).unwrap();
        let own = timers.iter().filter(|timer| timer.run_id == run_id).count();
        assert!(state.pause().is_none() || own == 0, "a paused run has no timers");
        let waiting = state.steps().filter(|(_, step)| step.until.is_some()).count()
            + state
                .tokens()
                .into_iter()
                .flat_map(|all| all.units())
                .filter(|(_, unit)| unit.until.is_some())
                .count()
            + usize::from(state.deadline().is_some());
        assert_eq!(own, waiting, "a timer for the deadline and every step that waits, no other");
    }

    fn check_steps(&self, store: &dyn Store, run_id: Uuid, events: &[NumberedEvent], plan: &Plan) {
        let mut ended: BTreeMap<&str, u32> = BTreeMap::new();
        let mut current: BTreeMap<&str, u32> = BTreeMap::new();
        for numbered in events {
            let path = numbered.event.fact.step().unwrap_or("");
            match &numbered.event.fact {
                Fact::AttemptQueued { attempt, .. } => {
                    current.insert(path, *attempt);
                }
                Fact::AttemptFailed { attempt, .. } | Fact::AttemptInterrupted { attempt, .. } => {
                    assert_eq!(
                        current.get(path).unwrap_or(&1),
                        attempt,
                        "`{path}` took an old result"
                    );
                }
                _ => {}
            }
            match &numbered.event.fact {
                Fact::StepSucceeded { attempt, .. } | Fact::StepFailed { attempt, .. } => {
                    assert!(ended.insert(path, *attempt).is_none(), "`{path}` ends once");
                    assert_eq!(
                        current.get(path).unwrap_or(&1),
                        attempt,
                        "`{path}` took an old result"
                    );
                }
                Fact::StepSkipped { .. } | Fact::StepCancelled { .. } => {
                    assert!(ended.insert(path, 0).is_none(), "`{path}` ends once");
                }
                Fact::StepQueued { .. } | Fact::AttemptQueued { .. } => {
                    assert!(!ended.contains_key(path), "`{path}` does nothing after its end");
                }
                _ => {}
            }
        }
        let rows = store.steps(run_id, None, usize::MAX - 1).unwrap().items;
        for step in &rows {
            let place = step.end_seq.and_then(|seq| events.get(usize::try_from(seq).unwrap() - 1));
            if matches!(step.status, StepStatus::Succeeded | StepStatus::Failed) {
                let fact = &place.expect("an end has its place").event.fact;
                assert_eq!(fact.step(), Some(step.path.as_str()), "rows point into the journal");
            }
            let (_, node) = plan.locate(&step.path).unwrap();
            if node.effect == definition::Effect::Never {
                let times = self
                    .worked
                    .iter()
                    .filter(|(run, path, _)| *run == run_id && *path == step.path)
                    .count();
                assert!(times <= 1, "`{}` could do harm and was done {times} times", step.path);
            }
        }
        for (path, attempt) in ended {
            let later = (run_id, path.to_owned(), attempt + 1)..(run_id, path.to_owned(), u32::MAX);
            if attempt > 0 {
                assert_eq!(self.worked.range(later).count(), 0, "`{path}` was done again");
            }
        }
    }
}
