//! Words about runs that other programs drive.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;
use windlass_core::Time;
use windlass_core::definition::Plan;
use windlass_core::limits::OBSERVED_LINE_COUNT_MAX;
use windlass_core::run::observed::is_renamed;
use windlass_core::run::{
    self, CreateRun, Fact, FlowName, ObservedTerms, Refused, RunState, Seen, What,
};
use windlass_store::{LogLevel, LogRow, LogStream};

use super::Shard;
use super::live::{LiveRun, Moment};
use super::load::Held;
use super::messages::{Answer, Output};
use crate::replay::new_run;

/// Lives of a task among which that of a line is looked for.
const LIVES_LOOKED_AT: u32 = 1_000;

/// Words about one run.
#[derive(Debug)]
pub struct Observe<T> {
    /// The run.
    pub run_id: Uuid,
    /// How it comes to be, if these are the first words about it.
    pub run: Arc<ObservedRun>,
    /// Whether nobody has had the id before, so that nothing has to be looked for.
    pub is_new: bool,
    /// The words, in the order in which they came.
    pub words: Vec<Word>,
    /// Who waits.
    pub ticket: T,
}

/// What is known of another program's run before anything is said of it.
#[derive(Debug)]
pub struct ObservedRun {
    /// Its project.
    pub project: Arc<str>,
    /// What is known of the flow.
    pub plan: Arc<Plan>,
    /// What the flow is called by words that do not give its key.
    pub called: Option<String>,
    /// The flow's id among the workflows.
    pub workflow_id: Uuid,
    /// The version of what is known.
    pub version: u32,
    /// The id of that.
    pub definition_id: Uuid,
    /// What the other program calls the run.
    pub external_id: String,
    /// What is made of its silence.
    pub terms: ObservedTerms,
    /// Whose key the words came with.
    pub by: Option<String>,
}

/// Something said about a run.
#[derive(Debug)]
pub enum Word {
    /// Something has happened.
    Seen(Seen),
    /// Something has happened, nobody says when: a second one of the same id is left out, since it
    /// would have another time.
    Once(Seen, u64),
    /// A line was logged.
    Line(Line),
}

/// A line that another program has logged.
#[derive(Debug)]
pub struct Line {
    /// When.
    pub at: Time,
    /// The task; empty for the run as a whole.
    pub path: String,
    /// The attempt; 0 if nobody says.
    pub attempt: u32,
    /// How serious it is.
    pub level: Option<LogLevel>,
    /// The text.
    pub text: String,
    /// What its sender calls it: a second one of the same id is left out.
    pub id: Option<u64>,
}

impl<T> Shard<T> {
    pub(super) fn observe(&mut self, now: Time, observe: Observe<T>, out: &mut Vec<Output<T>>) {
        if self.trouble.until.is_some() {
            let message = "the store takes no writes at present".to_owned();
            out.push(Output::Answer(observe.ticket, Answer::Unavailable(message)));
            return;
        }
        if !self.live.contains_key(&observe.run_id) {
            if !observe.is_new {
                return self.hold(observe.run_id, Held::Observe(Box::new(observe)), out);
            }
            if let Err(refused) = self.begin_observed(now, observe.run_id, &observe.run) {
                out.push(Output::Answer(observe.ticket, Answer::Refused(refused)));
                return;
            }
        }
        self.hear(now, observe, out);
    }

    /// The first words about a run bring it into being.
    pub(super) fn begin_observed(
        &mut self,
        now: Time,
        run_id: Uuid,
        run: &ObservedRun,
    ) -> Result<(), Refused> {
        let request = CreateRun {
            run_id,
            workflow_id: run.workflow_id,
            version: run.version,
            definition_id: run.definition_id,
            external_id: Some(run.external_id.clone()),
            by: run.by.clone(),
            observed: Some(run.terms.clone()),
            ..CreateRun::default()
        };
        let event = run::create(&run.plan, request, now)?;
        let (Fact::RunCreated(created), Some(state)) =
            (event.fact.clone(), RunState::from_first(&event))
        else {
            return Ok(());
        };
        let project = run.project.clone();
        let mut live = LiveRun::new(state, run.plan.clone(), project.clone(), (0, 0));
        live.pending.create = Some(new_run(project.to_string(), *created, now, None));
        live.pending.record(&project, &mut live.state, event);
        self.live.insert(run_id, live);
        self.touch(now, run_id, true);
        Ok(())
    }

    /// Takes words about a run in memory. Whoever said them is answered once what follows from them is
    /// durable.
    fn hear(&mut self, now: Time, observe: Observe<T>, out: &mut Vec<Output<T>>) {
        let Observe { run_id, run: flow, words, ticket, .. } = observe;
        let moment = self.moment(now);
        let (history_max, durable_number) = (self.config.history_max, self.durable_number);
        let Some(run) = self.live.get_mut(&run_id) else { return };
        let is_named = run.name(moment, &flow, history_max);
        let (has_changed, rejected) = run.hear(moment, words, history_max);
        let answer = Answer::Heard(rejected);
        if has_changed || is_named || run.is_dirty || run.sealed_in > durable_number {
            run.pending.told.push((ticket, answer));
            self.touch(now, run_id, true);
        } else {
            out.push(Output::Answer(ticket, answer));
            self.let_go_if_idle(now, run_id);
        }
    }
}

impl<T> LiveRun<T> {
    /// Takes note of the run's flow, if that was not known and is now.
    fn name(&mut self, moment: Moment, run: &ObservedRun, history_max: u64) -> bool {
        let flow = FlowName {
            workflow: run.plan.name.clone(),
            called: run.called.clone(),
            workflow_id: run.workflow_id,
            version: run.version,
            definition_id: run.definition_id,
        };
        if !is_renamed(&self.state.created.workflow, &flow) {
            return false;
        }
        let is_named = self.see(moment, Seen::Named(Box::new(flow)), history_max) == Ok(true);
        if is_named {
            self.plan = run.plan.clone();
        }
        is_named
    }

    /// Answers whether anything has changed, and which words were refused, by their places.
    fn hear(
        &mut self,
        moment: Moment,
        words: Vec<Word>,
        history_max: u64,
    ) -> (bool, Vec<(usize, Refused)>) {
        let (mut has_changed, mut rejected) = (false, Vec::new());
        let (mut kept, mut ids) = (Vec::new(), HashSet::new());
        for (place, word) in words.into_iter().enumerate() {
            let heard = match word {
                Word::Seen(seen) => self.see(moment, seen, history_max),
                Word::Once(_, id) if self.knows_line(id) || !ids.insert(id) => Ok(false),
                Word::Once(seen, id) => {
                    let heard = self.see(moment, seen, history_max);
                    kept.extend(heard.is_ok().then_some(id));
                    heard
                }
                Word::Line(line) => match line.id {
                    Some(id) if self.knows_line(id) || !ids.insert(id) => Ok(false),
                    id => {
                        let noted = self.note_line(moment, line, history_max);
                        // One that was not kept is not known either.
                        kept.extend(id.filter(|_| noted.is_ok()));
                        noted
                    }
                },
            };
            match heard {
                Ok(changed) => has_changed |= changed,
                Err(refused) => rejected.push((place, refused)),
            }
        }
        if !kept.is_empty() && self.see(moment, Seen::Lines(kept), history_max).is_ok() {
            has_changed = true;
        }
        (has_changed, rejected)
    }

    fn see(&mut self, moment: Moment, seen: Seen, history_max: u64) -> Result<bool, Refused> {
        let pending = u64::try_from(self.pending.event_count()).unwrap_or(u64::MAX);
        if self.last_seq.saturating_add(pending) >= history_max {
            return Err(Refused::HistoryFull);
        }
        Ok(self.take(moment, What::Seen(seen))? > 0)
    }

    fn knows_line(&self, id: u64) -> bool {
        self.state.observed().is_some_and(|observed| observed.knows_line(id))
    }

    /// A line is no event, but it shows that the run is there. It makes no task: who logs may name one by
    /// less than its node, and that would be another one, which never ends.
    fn note_line(&mut self, moment: Moment, line: Line, history_max: u64) -> Result<bool, Refused> {
        if self.last_log_seq >= OBSERVED_LINE_COUNT_MAX {
            return Err(Refused::HistoryFull);
        }
        let Line { at, path, attempt, level, text, .. } = line;
        self.see(moment, Seen::noted("", at), history_max)?;
        let path = self.life_of(path);
        self.last_log_seq += 1;
        let (log_seq, stream) = (self.last_log_seq, LogStream::Log);
        self.pending.logs.push(LogRow { log_seq, at, path, attempt, stream, text, level });
        Ok(true)
    }

    /// The newest life of a task that a line names without its number: `load:2` for `load`.
    fn life_of(&self, path: String) -> String {
        if path.is_empty() || self.state.step(&path).is_some() {
            return path;
        }
        let lives = (1..=LIVES_LOOKED_AT).map(|number| format!("{path}:{number}"));
        lives.take_while(|life| self.state.step(life).is_some()).last().unwrap_or(path)
    }
}
