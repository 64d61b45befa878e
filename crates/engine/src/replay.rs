//! What a journal amounts to: the state it folds to, and the rows that a store has by then.
//!
//! The rows of steps are made here for runs that go on and for runs that are looked back on, so that
//! both say the same.

use std::collections::BTreeMap;

use windlass_core::Time;
use windlass_core::run::token::Tokens;
use windlass_core::run::{Concurrency, Fact, RunCreated, RunState, Step, TaskWord};
use windlass_store::{
    Chunk, ConcurrencySlot, IdempotencyKey, NewRun, NumberedEvent, ParentRun, RunWrite, Standing,
    StepRow,
};

use crate::shard::unit_row;

/// A run as it was at some event.
#[derive(Debug)]
pub struct Replay {
    /// The state.
    pub state: RunState,
    /// The number of the last event that is in it.
    pub last_seq: u64,
    steps: BTreeMap<u32, StepRow>,
}

impl Replay {
    /// Folds the first events of a journal, from the first on. `None` if they do not begin with the
    /// run's creation.
    pub fn of(events: &[NumberedEvent]) -> Option<Replay> {
        let (first, rest) = events.split_first()?;
        let state = RunState::from_first(&first.event)?;
        let mut replay = Replay { state, last_seq: first.seq, steps: BTreeMap::new() };
        rest.iter().for_each(|numbered| replay.fold(numbered));
        Some(replay)
    }

    fn fold(&mut self, numbered: &NumberedEvent) {
        let fact = &numbered.event.fact;
        self.state.evolve(&numbered.event);
        self.last_seq = numbered.seq;
        let Some(path) = fact.step() else { return };
        let Some(step) = self.state.step(path) else { return };
        let row = step_row(path, step);
        let (input_seq, end_seq) =
            self.steps.get(&row.ordinal).map_or((None, None), |row| (row.input_seq, row.end_seq));
        let seq = Some(numbered.seq);
        let row = StepRow {
            input_seq: if has_input(fact) { seq } else { input_seq },
            end_seq: if has_end(fact) { seq } else { end_seq },
            ..row
        };
        self.steps.insert(row.ordinal, row);
    }

    /// The steps that have come up, in that order.
    pub fn steps(&self) -> impl Iterator<Item = &StepRow> {
        self.steps.values()
    }

    /// What writes the run into an empty store, with the events it was folded from.
    pub fn write(&self, project: &str, events: &[NumberedEvent]) -> RunWrite {
        let state = &self.state;
        let events: Vec<_> = events.iter().map(|numbered| &numbered.event).collect();
        let body = serde_json::to_string(&events).expect("events have only text keys");
        RunWrite {
            run_id: state.created.run_id,
            create: Some(new_run(
                project.to_owned(),
                state.created.clone(),
                state.created_at,
                None,
            )),
            standing: Some(standing(state, self.last_seq)),
            chunks: vec![Chunk { first_seq: 1, last_seq: self.last_seq, body }],
            new_steps: self.steps.values().cloned().collect(),
            units: state
                .tokens()
                .into_iter()
                .flat_map(Tokens::units)
                .map(|(path, unit)| unit_row(project, state, path, unit))
                .collect(),
            ..RunWrite::default()
        }
    }
}

/// What creates the row of a run.
pub(crate) fn new_run(
    project: String,
    created: RunCreated,
    created_at: Time,
    key: Option<IdempotencyKey>,
) -> NewRun {
    let parent = created.parent.map(|parent| ParentRun {
        run_id: parent.run_id,
        step: parent.step,
        depth: parent.depth,
    });
    let slot = |Concurrency { key, limit, .. }| ConcurrencySlot { key, limit };
    NewRun {
        project,
        workflow_id: created.workflow_id,
        workflow: created.workflow,
        version: created.version,
        definition_id: created.definition_id,
        labels: created.labels,
        external_id: created.external_id,
        rerun_of: created.rerun_of,
        parent,
        concurrency: created.concurrency.map(slot),
        priority: created.priority,
        created_by: created.by,
        created_at,
        key,
    }
}

/// Where a run stands.
pub(crate) fn standing(state: &RunState, last_seq: u64) -> Standing {
    Standing {
        status: state.status,
        reason: state.reason.clone(),
        error: state.error.clone(),
        started_at: state.started_at,
        finished_at: state.finished_at,
        last_seq,
        counts: state.counts.clone(),
    }
}

/// The row of a step. Where its input and end are is not in the state.
pub(crate) fn step_row(path: &str, step: &Step) -> StepRow {
    StepRow {
        ordinal: step.ordinal,
        path: path.to_owned(),
        kind: step.kind.to_string(),
        status: step.status,
        reason: step.reason.as_ref().map(ToString::to_string),
        attempt: step.attempt,
        queued_at: step.queued_at,
        started_at: step.started_at,
        finished_at: step.finished_at,
        due_at: step.until,
        input_seq: None,
        end_seq: None,
    }
}

/// Whether an event has the input of its step.
pub(crate) fn has_input(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::StepQueued { .. }
            | Fact::StepWaiting { .. }
            | Fact::StepAwaiting { resumes: None, .. }
            | Fact::ChildRequested { .. }
            | Fact::MapOpened { .. }
            | Fact::LoopOpened { .. }
    ) || matches!(fact, Fact::TaskSeen { seen, .. } if seen.about.is_some())
}

/// Whether an event has the output or the error of its step, or its last attempt's error.
pub(crate) fn has_end(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::StepSucceeded { .. } | Fact::StepFailed { .. } | Fact::AttemptFailed { .. }
    ) || matches!(fact, Fact::TaskSeen { seen, .. } if matches!(seen.what, TaskWord::Ended(_)))
}
