use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::kinds::Awaits;
use windlass_core::run::{Counts, Decision, Refused, RunState, RunStatus};
use windlass_core::{Failure, Time};

/// A run as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Its id.
    pub run_id: Uuid,
    /// The workflow's id.
    pub workflow_id: Uuid,
    /// The workflow's name.
    pub workflow: String,
    /// The workflow's version.
    pub version: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// Why, in a word.
    pub reason: Option<String>,
    /// The input.
    pub input: Arc<Value>,
    /// The output, once it has succeeded.
    pub output: Option<Arc<Value>>,
    /// The error, once it has failed.
    pub error: Option<Failure>,
    /// Searchable keys and values.
    pub labels: BTreeMap<String, String>,
    /// What the caller calls it.
    pub external_id: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<Uuid>,
    /// When it was created.
    pub created_at: Time,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// How many of its steps stand where.
    pub counts: Counts,
}

impl RunView {
    /// The view of a state.
    pub fn of(state: &RunState) -> RunView {
        let created = &state.created;
        RunView {
            run_id: created.run_id,
            workflow_id: created.workflow_id,
            workflow: created.workflow.clone(),
            version: created.version,
            status: state.status,
            reason: state.reason.clone(),
            input: created.input.clone(),
            output: state.output.clone(),
            error: state.error.clone(),
            labels: created.labels.clone(),
            external_id: created.external_id.clone(),
            rerun_of: created.rerun_of,
            created_at: state.created_at,
            started_at: state.started_at,
            finished_at: state.finished_at,
            counts: state.counts.clone(),
        }
    }
}

/// What a step asks of people.
#[derive(Clone, Debug, PartialEq)]
pub struct AskView {
    /// The step.
    pub path: String,
    /// The config of the approval, rendered.
    pub input: Arc<Value>,
    /// What a decision is bound to.
    pub hash: String,
    /// Since when it is asked.
    pub since: Time,
    /// Until when.
    pub deadline: Option<Time>,
    /// What was decided so far.
    pub decisions: Vec<Decision>,
    /// Who has started the run.
    pub requester: Option<String>,
}

impl AskView {
    /// What the step at `path` asks.
    ///
    /// # Errors
    ///
    /// If there is no such step, or it asks nobody.
    pub fn of(state: &RunState, path: &str) -> Result<AskView, Refused> {
        let step = state.step(path).ok_or_else(|| Refused::NoSuchStep(path.to_owned()))?;
        let ask = step.ask().filter(|ask| ask.awaits == Awaits::Approval);
        let ask = ask.ok_or_else(|| Refused::NotAsked(path.to_owned()))?;
        Ok(AskView {
            path: path.to_owned(),
            input: ask.input.clone(),
            hash: ask.hash(path),
            since: ask.since,
            deadline: ask.deadline(),
            decisions: ask.decisions.clone(),
            requester: state.created.by.clone(),
        })
    }
}
