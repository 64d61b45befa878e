//! What a run has to say in its next commit: events, and the rows that follow from them.
//!
//! A row shows where a step stands at the end of the batch, so a step that changed three times is
//! written once. Events get their numbers when the batch is sealed; until then rows point at places
//! in the list of events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::Time;
use windlass_core::json;
use windlass_core::kinds::Awaits;
use windlass_core::run::path::address_of;
use windlass_core::run::{
    CacheUse, Effect, Event, Fact, FlowName, Parent, RunState, STATE_VERSION, Step,
};
use windlass_store::{
    AskRow, CacheRow, InterventionRow, LogRow, MemoryRow, Message, MessageKey, NewRun,
    NumberedEvent, Renamed, RunWrite, Snapshot, StepRow, Taken, TaskRow, UsageRow,
};

use super::chunks::chunks;
use super::mail::{Order, to_parent, word};
use super::measured::Measured;
use super::messages::{Answer, Published, TaskChange};
use super::tokens::{Asked, task_row, unit_row};
use super::trigger::occasion;
use crate::desk::Over;
use crate::replay::{has_end, has_input, standing, step_row};
use crate::usage::{Call, day_of};

/// Changes of one run that are not sealed yet.
#[derive(Debug)]
pub(super) struct Pending<T> {
    pub(super) create: Option<NewRun>,
    /// The flow that it turns out to be of.
    renamed: Option<Renamed>,
    /// Whether its labels may have changed.
    is_labelled: bool,
    /// `None` where a start was taken back because its end came before the batch was sealed.
    events: Vec<Option<Event>>,
    starts: HashMap<String, usize>,
    steps: BTreeMap<u32, PendingStep>,
    pub(super) timers_set: BTreeMap<String, Time>,
    pub(super) timers_cleared: BTreeSet<String>,
    asks_set: BTreeSet<String>,
    asks_cleared: BTreeSet<String>,
    pub(super) tasks_set: BTreeSet<String>,
    /// With why, if there is more to say than that they are over.
    pub(super) tasks_cleared: BTreeMap<String, (Uuid, Over)>,
    /// Units of work that have changed.
    pub(super) units: BTreeSet<String>,
    pub(super) interventions: Vec<InterventionRow>,
    pub(super) learned: Vec<MemoryRow>,
    /// Outputs that may be used again: where they are among the events, and how they are found.
    cached: Vec<(usize, CacheUse)>,
    /// What models have taken, by day, node, provider and model.
    usage: BTreeMap<(i64, String, String, String), (Time, Taken)>,
    pub(super) logs: Vec<LogRow>,
    measured: Measured,
    /// Orders that are released once the batch is durable.
    pub(super) effects: Vec<Effect>,
    /// Bytes of the values in the events.
    bytes: usize,
    /// Messages that have been taken up.
    pub(super) received: Vec<MessageKey>,
    /// What other runs are to be told: which, about which step, in which word.
    words: Vec<(Uuid, String, &'static str)>,
    /// Who is answered then.
    pub(super) replies: Vec<T>,
    /// Who is answered something in particular then.
    pub(super) told: Vec<(T, Answer)>,
}

#[derive(Debug)]
struct PendingStep {
    row: StepRow,
    is_new: bool,
    input_at: Option<usize>,
    end_at: Option<usize>,
}

impl<T> Default for Pending<T> {
    fn default() -> Pending<T> {
        Pending {
            create: None,
            renamed: None,
            is_labelled: false,
            events: Vec::new(),
            bytes: 0,
            starts: HashMap::new(),
            steps: BTreeMap::new(),
            timers_set: BTreeMap::new(),
            timers_cleared: BTreeSet::new(),
            asks_set: BTreeSet::new(),
            asks_cleared: BTreeSet::new(),
            tasks_set: BTreeSet::new(),
            tasks_cleared: BTreeMap::new(),
            units: BTreeSet::new(),
            interventions: Vec::new(),
            learned: Vec::new(),
            told: Vec::new(),
            cached: Vec::new(),
            usage: BTreeMap::new(),
            logs: Vec::new(),
            measured: Measured::default(),
            effects: Vec::new(),
            received: Vec::new(),
            words: Vec::new(),
            replies: Vec::new(),
        }
    }
}

/// A sealed write, and what else is known of it.
#[derive(Debug)]
pub(super) struct Sealed<T> {
    pub(super) last_seq: u64,
    pub(super) write: RunWrite,
    pub(super) published: Published,
    pub(super) effects: Vec<Effect>,
    pub(super) replies: Vec<T>,
    pub(super) told: Vec<(T, Answer)>,
    pub(super) tasks: Vec<TaskChange>,
}

impl<T> Pending<T> {
    pub(super) fn event_count(&self) -> usize {
        self.events.len()
    }

    /// Bytes of the values in the events.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Folds an event into the state and notes the rows that follow from it.
    pub(super) fn record(&mut self, project: &str, state: &mut RunState, event: Event) {
        let offer_path = event.fact.step().or_else(|| event.fact.unit());
        let offered = offer_path.and_then(|path| state.offer(path));
        let unit_before = event.fact.unit().and_then(|path| state.tokens()?.unit(path));
        let unit_before = unit_before.map(|unit| (unit.until, Asked::of(unit)));
        let step_path = event.fact.step();
        let before = step_path.and_then(|path| state.step(path));
        let timer = before.and_then(|step| step.until);
        let began_before = before.and_then(|step| step.started_at);
        let asked = before.is_some_and(|step| step.ask().is_some());
        let cache = match event.fact {
            Fact::StepSucceeded { cached: None, .. } => before.and_then(Step::cache).cloned(),
            _ => None,
        };
        // A step has a kind from its first event on, and a row from then on too.
        let is_new = before.is_none_or(|step| step.kind.is_empty());
        let had_deadline = state.deadline().is_some();
        let is_paused = state.pause().is_some();
        state.evolve(&event);
        self.note_pause(state, is_paused);
        if let Some(path) = offer_path {
            self.note_offer(state, path, offered, &event.fact);
        }
        if let Some(path) = event.fact.unit() {
            self.note_unit(project, state, (path, unit_before), &event);
        }
        self.note_words(state, &event.fact);
        self.note_flow(&event.fact);
        if had_deadline && state.deadline().is_none() {
            self.timers_set.remove("");
            self.timers_cleared.insert(String::new());
        }
        if matches!(event.fact, Fact::RunFailed { .. }) {
            // A run that fails as a whole may leave steps behind that never heard of it.
            for (path, step) in state.steps() {
                self.note_ask(path, step.ask().is_some(), false);
                if step.task().is_some() {
                    self.clear_task(state, path, Over::Cancelled);
                }
            }
        }
        let place = self.events.len();
        self.cached.extend(cache.map(|cache| (place, cache)));
        if let Some(path) = step_path {
            let step = state.step(path);
            if timer.is_some() && timer != step.and_then(|step| step.until) {
                self.timers_set.remove(path);
                self.timers_cleared.insert(path.to_owned());
            }
            self.note_ask(path, asked, step.is_some_and(|step| step.ask().is_some()));
            self.take_back_start(&event.fact, path);
            if let Some(step) = state.step(path) {
                self.measured.note(&event, step, began_before);
                self.note_step(path, step, &event.fact, (place, is_new));
            }
        }
        if let Some(effect) = Effect::of(&event.fact) {
            let task = step_path.and_then(|path| state.step(path)).and_then(Step::task);
            match &effect {
                // Workers take it by themselves.
                Effect::MakeAttempt { .. } if task.is_some() => {}
                // It is set when the run goes on.
                Effect::SetTimer { .. } if state.pause().is_some() => {}
                Effect::SetTimer { path, due } => {
                    self.set_timer(path, *due);
                    self.effects.push(effect);
                }
                _ => self.effects.push(effect),
            }
        }
        if let Some(path) = step_path
            && state.pause().is_none()
            && let Some(due) =
                state.step(path).filter(|step| step.task().is_some()).and_then(|it| it.until)
            && timer != Some(due)
        {
            self.set_timer(path, due);
            self.effects.push(Effect::SetTimer { path: path.to_owned(), due });
        }
        self.bytes += bytes_of(&event.fact);
        self.events.push(Some(event));
    }

    /// What the row of a run of another program says more because of an event.
    fn note_flow(&mut self, fact: &Fact) {
        match fact {
            Fact::FlowSeen { seen } => {
                self.is_labelled |= !seen.tags.is_empty() || seen.metadata.is_some();
            }
            Fact::FlowNamed { flow } => {
                let FlowName { workflow, workflow_id, version, definition_id, .. } =
                    (**flow).clone();
                self.renamed = Some(Renamed { workflow_id, workflow, version, definition_id });
            }
            _ => {}
        }
    }

    /// Notes that the run's end starts another one. That is no word about a step, so nothing else
    /// follows from it. The end itself stays the last event: readers look for it there.
    pub(super) fn trigger(&mut self, state: &mut RunState, event: Event, target: Uuid) {
        state.evolve(&event);
        let end = self.events.pop_if(|last| last.as_ref().is_some_and(|last| last.fact.is_end()));
        self.events.push(Some(event));
        self.events.extend(end);
        self.words.push((target, String::new(), word::TRIGGER));
    }

    fn note_ask(&mut self, path: &str, was: bool, is: bool) {
        if was && !is {
            self.asks_set.remove(path);
            self.asks_cleared.insert(path.to_owned());
        } else if is && !was {
            self.asks_cleared.remove(path);
            self.asks_set.insert(path.to_owned());
        }
    }

    pub(super) fn set_timer(&mut self, path: &str, due: Time) {
        self.timers_cleared.remove(path);
        self.timers_set.insert(path.to_owned(), due);
    }

    /// A paused run has no timers: they would fire in vain, again and again. They come back when it
    /// goes on.
    fn note_pause(&mut self, state: &RunState, was_paused: bool) {
        if was_paused == state.pause().is_some() || state.status.is_terminal() {
            return;
        }
        if was_paused {
            // Whoever asked for them meanwhile was turned away.
            self.tasks_set.extend(
                state.offered().filter(|path| state.offer(path).is_some()).map(str::to_owned),
            );
        }
        let owed: Vec<Effect> = state.outstanding().collect();
        for effect in owed {
            match effect {
                Effect::SetTimer { path, .. } if !was_paused => {
                    self.timers_set.remove(&path);
                    self.timers_cleared.insert(path);
                }
                Effect::SetTimer { path, due } => {
                    self.set_timer(&path, due);
                    self.effects.push(Effect::SetTimer { path, due });
                }
                _ => {}
            }
        }
    }

    /// What other runs have to be told because of an event.
    fn note_words(&mut self, state: &RunState, fact: &Fact) {
        match fact {
            Fact::RunCreated(created) => {
                if let Some(Parent { run_id, step, awaited: false, .. }) = &created.parent {
                    self.words.push((*run_id, step.clone(), word::STARTED));
                }
            }
            Fact::ChildRequested { path, child, .. } => {
                self.words.push((*child, path.clone(), word::START));
            }
            Fact::StepCancelled { path, .. } | Fact::StepMarked { path, .. } => {
                if let Some(child) = state.step(path).and_then(Step::child) {
                    self.words.push((child.run_id, path.clone(), word::CANCEL));
                }
            }
            _ => {}
        }
        if matches!(fact, Fact::RunCancelled { .. }) {
            let children = state.children();
            self.words.extend(children.map(|(path, child)| (child, path.to_owned(), word::CANCEL)));
        }
        if state.status.is_terminal()
            && let Some(Parent { run_id, step, awaited: true, .. }) = &state.created.parent
        {
            self.words.push((*run_id, step.clone(), word::ENDED));
        }
    }

    /// The end of an attempt says when it began, so a start in the same batch says nothing more.
    fn take_back_start(&mut self, fact: &Fact, path: &str) {
        match fact {
            Fact::AttemptStarted { .. } => {
                self.starts.insert(path.to_owned(), self.events.len());
            }
            Fact::StepSucceeded { .. }
            | Fact::StepFailed { .. }
            | Fact::AttemptFailed { .. }
            | Fact::StepAwaiting { resumes: Some(_), .. } => {
                if let Some(place) = self.starts.remove(path) {
                    self.events[place] = None;
                }
            }
            _ => {}
        }
    }

    fn note_step(&mut self, path: &str, step: &Step, fact: &Fact, (place, is_new): (usize, bool)) {
        let row = step_row(path, step);
        let noted = self.steps.entry(step.ordinal).or_insert_with(|| PendingStep {
            row: row.clone(),
            is_new,
            input_at: None,
            end_at: None,
        });
        noted.row = row;
        if has_input(fact) {
            noted.input_at = Some(place);
        }
        if has_end(fact) {
            noted.end_at = Some(place);
        }
    }

    /// Notes what a call to a model has taken.
    pub(super) fn add_usage(&mut self, path: &str, call: Call) {
        let Call { provider, model, at, taken } = call;
        let place = (day_of(at), address_of(path), provider, model);
        let (first_at, sum) = self.usage.entry(place).or_insert_with(|| (at, Taken::default()));
        *first_at = (*first_at).min(at);
        *sum += taken;
    }

    /// Gives the events their numbers, from `last_seq` on.
    pub(super) fn seal(self, run: &Sealing<'_>) -> Sealed<T> {
        let mut seqs = Vec::with_capacity(self.events.len());
        let mut seq = run.last_seq;
        for event in &self.events {
            seq += u64::from(event.is_some());
            seqs.push(seq);
        }
        let state = run.state;
        let standing = run.writes_row.then(|| standing(state, seq));
        let (mut new_steps, mut changed_steps) = (Vec::new(), Vec::new());
        for step in self.steps.into_values() {
            let row = StepRow {
                input_seq: step.input_at.map(|place| seqs[place]),
                end_seq: step.end_at.map(|place| seqs[place]),
                ..step.row
            };
            if step.is_new { new_steps.push(row) } else { changed_steps.push(row) }
        }
        let events: Vec<NumberedEvent> = self
            .events
            .into_iter()
            .zip(&seqs)
            .filter_map(|(event, seq)| Some(NumberedEvent { seq: *seq, event: event? }))
            .collect();
        let cached = self.cached.into_iter().map(|(place, cache)| CacheRow {
            project: run.project.to_owned(),
            key: cache.key,
            run_id: state.created.run_id,
            seq: seqs[place],
            expires_at: run.now.plus(cache.ttl.0),
        });
        let usage =
            self.usage.into_iter().map(|((day, node, provider, model), (first_at, taken))| {
                let (project, run_id) = (run.project.to_owned(), state.created.run_id);
                let workflow = state.created.workflow.clone();
                UsageRow { project, workflow, run_id, node, provider, model, day, first_at, taken }
            });
        let usage: Vec<UsageRow> = usage.collect();
        let mut measured = self.measured;
        measured.note_usage(&usage);
        let tasks_set: Vec<TaskRow> =
            self.tasks_set.iter().filter_map(|path| task_row(run.project, state, path)).collect();
        let cleared = self.tasks_cleared.values();
        let mut tasks: Vec<TaskChange> = cleared
            .map(|(task_id, how)| TaskChange::Over { task_id: *task_id, how: *how })
            .collect();
        tasks.extend(tasks_set.iter().map(|row| TaskChange::Stands(Box::new(row.clone()))));
        tasks.extend((!self.learned.is_empty()).then_some(TaskChange::Learned));
        let units = self.units.iter().filter_map(|path| {
            Some(unit_row(run.project, state, path, state.tokens()?.unit(path)?))
        });
        let units = units.collect();
        let messages = self.words.iter().map(|word| message(word, run, &events));
        // What is answered already need not be said.
        let messages = messages.filter(|message| !self.received.contains(&message.key())).collect();
        let snapshot = run.takes_snapshot.then(|| Snapshot {
            seq,
            version: STATE_VERSION,
            state: serde_json::to_string(state).expect("a state has only text keys"),
        });
        let write = RunWrite {
            run_id: state.created.run_id,
            after_seq: run.last_seq,
            create: self.create,
            standing,
            renamed: self.renamed,
            labels_set: match self.is_labelled {
                true => state.created.labels.clone(),
                false => BTreeMap::new(),
            },
            chunks: chunks(&events),
            new_steps,
            changed_steps,
            timers_set: self.timers_set.into_iter().collect(),
            timers_cleared: self.timers_cleared.into_iter().collect(),
            asks_set: self.asks_set.iter().filter_map(|path| ask_row(run, path)).collect(),
            asks_cleared: self.asks_cleared.into_iter().collect(),
            cached: cached.collect(),
            usage,
            snapshot,
            drop_snapshot: run.has_snapshot && state.status.is_terminal(),
            logs: self.logs.clone(),
            received: self.received,
            messages,
            units,
            tasks_cleared: self.tasks_cleared.values().map(|(task_id, _)| *task_id).collect(),
            tasks_set,
            interventions: self.interventions,
            learned: self.learned,
        };
        let published = Published {
            run_id: state.created.run_id,
            workflow: Arc::from(state.created.workflow.as_str()),
            events,
            logs: self.logs,
            measured,
            started_at: state.started_at,
            status: state.status,
            is_over: state.status.is_terminal(),
        };
        Sealed {
            last_seq: seq,
            write,
            published,
            effects: self.effects,
            replies: self.replies,
            told: self.told,
            tasks,
        }
    }
}

/// What a run looks like when its changes are sealed.
pub(super) struct Sealing<'a> {
    pub(super) project: &'a str,
    pub(super) now: Time,
    pub(super) state: &'a RunState,
    pub(super) last_seq: u64,
    pub(super) has_snapshot: bool,
    pub(super) writes_row: bool,
    pub(super) takes_snapshot: bool,
}

/// How a step is found that waits for somebody's word.
fn ask_row(run: &Sealing<'_>, path: &str) -> Option<AskRow> {
    let ask = run.state.step(path)?.ask()?;
    let field = |name: &str| ask.input.get(name).cloned().unwrap_or_default();
    let (name, detail) = match &ask.awaits {
        Awaits::Approval => {
            let title = field("title").as_str().unwrap_or_default().to_owned();
            (title, json!({ "approvers": field("approvers"), "quorum": field("quorum") }))
        }
        Awaits::Signal(name) => (name.clone(), Value::Null),
        Awaits::Event(name) => (name.clone(), field("match")),
    };
    Some(AskRow {
        project: run.project.to_owned(),
        run_id: run.state.created.run_id,
        path: path.to_owned(),
        workflow: run.state.created.workflow.clone(),
        kind: ask.awaits.as_str().to_owned(),
        name,
        detail,
        since: ask.since,
        deadline: ask.deadline(),
    })
}

/// What a run has to tell another.
fn message(
    (target, path, word): &(Uuid, String, &'static str),
    run: &Sealing<'_>,
    events: &[NumberedEvent],
) -> Message {
    let created = &run.state.created;
    // Others say nothing that has to be looked for.
    let news = if *word == word::TRIGGER { events } else { &[] };
    let triggered = news.iter().find_map(|numbered| match &numbered.event.fact {
        Fact::Triggered { run_id, workflow_id, .. } if run_id == target => Some(*workflow_id),
        _ => None,
    });
    if let Some(workflow_id) = triggered {
        return occasion(*target, (run.project, run.state, run.now), workflow_id);
    }
    if let Some(parent) = created.parent.as_ref().filter(|parent| parent.run_id == *target) {
        return to_parent(parent, run.state, word, run.now);
    }
    let asked = events.iter().find_map(|numbered| match &numbered.event.fact {
        Fact::ChildRequested { child, input, .. } if child == target => Some(input),
        _ => None,
    });
    let body = asked.filter(|_| *word == word::START).map(|config| Order {
        project: run.project.to_owned(),
        depth: created.parent.as_ref().map_or(0, |parent| parent.depth) + 1,
        trigger_depth: created.trigger_depth,
        config: (**config).clone(),
    });
    Message {
        target: *target,
        source: created.run_id,
        path: path.clone(),
        word: (*word).to_owned(),
        body: serde_json::to_string(&body).expect("an order has only text keys"),
        created_at: run.now,
    }
}

/// Bytes of the value that comes with an event, as JSON.
fn bytes_of(fact: &Fact) -> usize {
    match fact {
        Fact::StepQueued { input, .. }
        | Fact::StepWaiting { input, .. }
        | Fact::StepAwaiting { input, .. }
        | Fact::ChildRequested { input, .. } => json::size(input),
        Fact::SignalReceived { payload, .. } => json::size(payload),
        Fact::StepRecorded { value, .. } => json::size(value),
        Fact::FlowSeen { seen } => {
            let values = [&seen.params, &seen.metadata, &seen.output];
            values.into_iter().flatten().map(|value| json::size(value)).sum()
        }
        Fact::TaskSeen { seen, .. } => {
            [&seen.about, &seen.output].into_iter().flatten().map(|value| json::size(value)).sum()
        }
        Fact::StepSucceeded { output, .. } | Fact::RunSucceeded { output } => json::size(output),
        Fact::UnitCreated { unit, .. } => unit.attributes.values().map(|it| json::size(it)).sum(),
        Fact::UnitChanged { change, .. } => {
            change.attributes.values().map(|it| json::size(it)).sum()
        }
        Fact::MapOpened { items, .. } => items.iter().map(json::size).sum(),
        _ => 0,
    }
}
