use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::expr::SecretSlot;
use windlass_core::kinds::Awaits;
use windlass_core::run::token::Unit;
use windlass_core::run::{CacheUse, Counts, Decision, Holder, Refused, RunState, RunStatus};
use windlass_core::{Failure, HumanDuration, Time};

use crate::shard::{role_word, task_id};

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
            input: state.input().clone(),
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

/// A unit of work, or a step that workers make.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// The run.
    pub run_id: Uuid,
    /// Its project.
    pub project: Arc<str>,
    /// The workflow's or instance's name.
    pub workflow: Arc<str>,
    /// The unit or step, as the run calls it.
    pub path: String,
    /// The task.
    pub task_id: Uuid,
    /// Who has it.
    pub holder: Option<Holder>,
    /// What it is.
    pub of: TaskOf,
}

/// What a task is.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskOf {
    /// A unit of work.
    Unit(Box<UnitView>),
    /// A step that workers make.
    Step(Box<StepView>),
}

/// A unit of work with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitView {
    /// The instance.
    pub instance_id: Uuid,
    /// The unit.
    pub unit: Unit,
    /// The unit it is a part of.
    pub parent_id: Option<Uuid>,
    /// Its parts.
    pub children: Vec<Unit>,
    /// The role in which it is or was taken, as rows have it.
    pub role_word: String,
}

/// A step that workers make.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// The kind of its node.
    pub kind: Arc<str>,
    /// The queue it stands in.
    pub queue: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Its config, with secrets as they were written.
    pub input: Arc<Value>,
    /// Where the secrets go.
    pub secrets: Vec<SecretSlot>,
    /// Where an earlier output may be found.
    pub cache: Option<CacheUse>,
    /// How far an earlier worker has come.
    pub checkpoint: Option<Arc<Value>>,
    /// How long an attempt may take.
    pub timeout: Option<HumanDuration>,
    /// Until when it has to be over.
    pub deadline: Option<Time>,
}

impl TaskView {
    /// The view of what is at a path; `None` if there is nothing, or nothing that workers make.
    pub(crate) fn of(project: &Arc<str>, state: &RunState, path: &str) -> Option<TaskView> {
        let (of, holder) = match state.tokens() {
            Some(tokens) => {
                let unit = tokens.unit(path)?;
                let parts = unit.children.iter().filter_map(|path| tokens.unit(path));
                let view = UnitView {
                    instance_id: state.created.workflow_id,
                    parent_id: unit.parent.as_deref().and_then(|it| Some(tokens.unit(it)?.id)),
                    children: parts.cloned().collect(),
                    role_word: role_word(
                        state,
                        &unit.workflow,
                        unit.role.as_deref().unwrap_or_default(),
                    ),
                    unit: unit.clone(),
                };
                let holder = unit.holder.as_ref().map(|held| held.holder.clone());
                (TaskOf::Unit(Box::new(view)), holder)
            }
            None => {
                let step = state.step(path)?;
                let task = step.task()?;
                let noted = step.records().iter().find(|record| record.key == "checkpoint");
                let view = StepView {
                    kind: step.kind.clone(),
                    queue: task.terms.queue.clone(),
                    attempt: step.attempt,
                    input: step.input.clone().unwrap_or_default(),
                    secrets: step.secrets.clone(),
                    cache: step.cache().cloned(),
                    checkpoint: noted.map(|record| record.value.clone()),
                    timeout: task.terms.timeout,
                    deadline: step.until,
                };
                (TaskOf::Step(Box::new(view)), task.holder.clone())
            }
        };
        Some(TaskView {
            run_id: state.created.run_id,
            project: project.clone(),
            workflow: Arc::from(state.created.workflow.as_str()),
            path: path.to_owned(),
            task_id: task_id(state, path),
            holder,
            of,
        })
    }
}
