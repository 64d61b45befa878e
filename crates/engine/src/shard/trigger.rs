//! The end of a run that starts runs of other workflows.
//!
//! It is looked at when the changes of a run are sealed, so that an end which is taken back in the same
//! breath starts nothing. Each workflow is started at most once for each status that a run ends with,
//! which the run's own journal remembers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use windlass_core::limits::TRIGGER_DEPTH_MAX;
use windlass_core::run::{Event, Fact, RunState, RunStatus, derived_id};
use windlass_core::{Failure, Time};
use windlass_store::{LogLevel, LogRow, LogStream, Message};

use super::live::LiveRun;
use super::mail::word;
use crate::triggers::Listeners;

/// The end of a run, as it is told to who makes another run of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Occasion {
    /// The project.
    pub project: String,
    /// The workflow of the new run.
    pub workflow_id: Uuid,
    /// The name of the workflow of the run that has ended.
    pub source: String,
    /// How it has ended.
    pub status: RunStatus,
    /// How many triggers lie between the new run and one that nobody's end has started.
    pub depth: u32,
    /// The run that has ended, as templates see it.
    pub run: Value,
}

impl<T> LiveRun<T> {
    /// Starts a run of every workflow that listens for this end, if the run has come to one since it
    /// was last sealed.
    pub(super) fn mind_listeners(&mut self, now: Time, listeners: &Listeners) {
        let status = self.state.status;
        // It may be heard of its flow only after its end.
        let stands = (status, self.state.created.workflow_id);
        let before = std::mem::replace(&mut self.sealed_as, stands);
        if before == stands || !status.is_terminal() {
            return;
        }
        let mut found = listeners.of(&self.project, &self.state.created.workflow, status);
        found.retain(|one| !self.state.has_triggered(status, one.workflow_id));
        let source = self.state.created.run_id;
        let is_too_deep = self.state.created.trigger_depth >= TRIGGER_DEPTH_MAX;
        for listener in found {
            let (workflow_id, workflow) = (listener.workflow_id, listener.workflow);
            if is_too_deep {
                tracing::warn!(
                    run.id = %source, workflow, depth = TRIGGER_DEPTH_MAX,
                    "a chain of triggers is too long; it ends here"
                );
                let message = format!(
                    "this run's end does not start one of `{workflow}`: {TRIGGER_DEPTH_MAX} runs \
                     were started by each other's ends already (trigger_depth)"
                );
                self.complain(now, message);
                continue;
            }
            let run_id = derived_id(source, &format!("{status} {workflow_id}"), now);
            let fact = Fact::Triggered { status, run_id, workflow_id, workflow };
            self.pending.trigger(&mut self.state, Event { at: now, fact }, run_id);
        }
    }

    /// Notes that a run was not started after all.
    pub(super) fn not_started(&mut self, now: Time, message: &Message) {
        let why = serde_json::from_str::<Failure>(&message.body);
        let why = why.map_or_else(|error| error.to_string(), |failure| failure.to_string());
        tracing::warn!(run.id = %message.target, why, "an end has started no run");
        self.complain(now, format!("the run {} was not started: {why}", message.source));
    }

    /// A line of our own about the run as a whole.
    fn complain(&mut self, at: Time, text: String) {
        self.last_log_seq += 1;
        self.pending.logs.push(LogRow {
            log_seq: self.last_log_seq,
            at,
            path: String::new(),
            attempt: 0,
            stream: LogStream::System,
            text,
            level: Some(LogLevel::Error),
        });
    }
}

/// What is told of an end to who makes the run `target` of it.
pub(super) fn occasion(
    target: Uuid,
    (project, state, now): (&str, &RunState, Time),
    workflow_id: Uuid,
) -> Message {
    let created = &state.created;
    let occasion = Occasion {
        project: project.to_owned(),
        workflow_id,
        source: created.workflow.clone(),
        status: state.status,
        depth: created.trigger_depth + 1,
        run: shown(state),
    };
    Message {
        target,
        source: created.run_id,
        path: String::new(),
        word: word::TRIGGER.to_owned(),
        body: serde_json::to_string(&occasion).expect("an occasion has only text keys"),
        created_at: now,
    }
}

/// A run that is over, as the templates of triggers see it.
fn shown(state: &RunState) -> Value {
    let created = &state.created;
    let error = |error: &Failure| json!({ "code": error.code, "message": error.message });
    let time = |at: Option<Time>| at.map(|at| at.to_string());
    json!({
        "id": created.run_id,
        "external_id": created.external_id,
        "workflow": created.workflow,
        "status": state.status,
        "error": state.error.as_ref().map(error),
        "started_at": time(state.started_at),
        "finished_at": time(state.finished_at),
        "labels": created.labels,
        "input": state.input(),
    })
}
