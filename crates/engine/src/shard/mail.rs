//! Messages between runs: a step asks for a run, a run tells the step that asked for it.
//!
//! A message is a row that is written with what it follows from and removed with what follows from
//! it. Until then it is handed over again and again, so whoever gets it may have had it before.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use windlass_core::run::{Parent, RunState, RunStatus, What};
use windlass_core::{Failure, Time};
use windlass_store::{Message, MessageKey};

use super::Shard;
use super::load::Held;
use super::messages::Output;

/// What messages say.
pub mod word {
    /// A step asks for a run, which does not exist yet. The body is an [`Order`](super::Order).
    pub const START: &str = "start";
    /// The run that was asked for exists.
    pub const STARTED: &str = "started";
    /// The run that was asked for is over. The body is an [`Outcome`](super::Outcome).
    pub const ENDED: &str = "ended";
    /// The run that was asked for cannot be. The body is an [`Outcome`](super::Outcome). The only
    /// word that is not kept: the order is, and leads to the same answer again.
    pub const REFUSED: &str = "refused";
    /// The run that was asked for is not needed any more.
    pub const CANCEL: &str = "cancel";
    /// The end of a run asks for another one. The body is an [`Occasion`](super::super::Occasion).
    pub const TRIGGER: &str = "trigger";
    /// The run that an end has asked for cannot be. The body is a failure. Not kept, like
    /// [`REFUSED`].
    pub const NOT_STARTED: &str = "not_started";
}

/// A run that a step asks for.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// The project.
    pub project: String,
    /// How many runs are above the new one.
    pub depth: u32,
    /// How many triggers lie between it and a run that nobody's end has started.
    #[serde(default)]
    pub trigger_depth: u32,
    /// The config of the step.
    pub config: Value,
}

/// How a run that was asked for has ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Its output, if it has succeeded.
    #[serde(default)]
    pub output: Value,
    /// Why it has not.
    #[serde(default)]
    pub error: Option<Failure>,
}

impl Outcome {
    /// What the step is told that has asked for a run which is over.
    pub(super) fn of(state: &RunState) -> Outcome {
        let created = &state.created;
        let (run_id, workflow) = (created.run_id, &created.workflow);
        let details = serde_json::json!({ "run_id": run_id });
        let error = match (state.status, &state.error) {
            (RunStatus::Succeeded, _) => None,
            (RunStatus::Cancelled, _) => {
                let message = format!("the run {run_id} of `{workflow}` was cancelled");
                Some(Failure::new("child_cancelled", message).with(details))
            }
            (_, Some(error)) => {
                let message = format!("the run {run_id} of `{workflow}` failed: {error}");
                Some(Failure::new("child_failed", message).with(details))
            }
            (_, None) => {
                let message = format!("the run {run_id} of `{workflow}` failed");
                Some(Failure::new("child_failed", message).with(details))
            }
        };
        Outcome { output: state.output.as_deref().cloned().unwrap_or_default(), error }
    }
}

/// What a step, or a run that is over, is told whose order cannot be carried out.
pub fn refusal(order: MessageKey, failure: &Failure, now: Time) -> Message {
    let (word, body) = if order.word == word::TRIGGER {
        (word::NOT_STARTED, serde_json::to_string(failure))
    } else {
        let outcome = Outcome { output: Value::Null, error: Some(failure.clone()) };
        (word::REFUSED, serde_json::to_string(&outcome))
    };
    Message {
        target: order.source,
        source: order.target,
        path: order.path,
        word: word.to_owned(),
        body: body.expect("an outcome has only text keys"),
        created_at: now,
    }
}

/// What a run says to the one it has a parent in.
pub(super) fn to_parent(parent: &Parent, state: &RunState, word: &str, now: Time) -> Message {
    let body = match word {
        word::ENDED => serde_json::to_string(&Outcome::of(state)),
        _ => Ok("null".to_owned()),
    };
    Message {
        target: parent.run_id,
        source: state.created.run_id,
        path: parent.step.clone(),
        word: word.to_owned(),
        body: body.expect("an outcome has only text keys"),
        created_at: now,
    }
}

impl<T> Shard<T> {
    /// Takes a message for a run, and throws it away with what follows from it, if anything does.
    pub(super) fn message(&mut self, now: Time, message: Message, out: &mut Vec<Output<T>>) {
        let target = message.target;
        if !self.live.contains_key(&target) {
            return self.hold(target, Held::Message(message), out);
        }
        if let Some(what) = what_of(&message) {
            let _ = self.tell_live(now, target, what);
        }
        let Some(run) = self.live.get_mut(&target) else { return };
        if message.word == word::NOT_STARTED {
            run.not_started(now, &message);
        }
        run.pending.received.extend(settled_by(message));
        self.touch(now, target, false);
    }

    /// Has a message thrown away that nothing follows from.
    pub(super) fn throw_away(&mut self, now: Time, message: Option<MessageKey>) {
        if message.is_some() {
            self.waste.extend(message);
            self.lingering_since.get_or_insert(now);
        }
    }

    /// What to do with messages for a run that does not exist. One that says it is not needed may
    /// have come before the one that asks for it, and waits.
    pub(super) fn return_to_sender(&mut self, now: Time, held: &[Held<T>]) {
        for held in held {
            if let Held::Message(message) = held
                && message.word != word::CANCEL
            {
                self.waste.extend(settled_by(message.clone()));
                self.lingering_since.get_or_insert(now);
            }
        }
    }
}

/// The rows that a message leaves behind once it has been taken up.
fn settled_by(message: Message) -> Vec<MessageKey> {
    let is_answer = matches!(message.word.as_str(), word::REFUSED | word::NOT_STARTED);
    if !is_answer {
        return vec![message.key()];
    }
    let asked = |word: &str| MessageKey {
        target: message.source,
        source: message.target,
        path: message.path.clone(),
        word: word.to_owned(),
    };
    if message.word == word::NOT_STARTED {
        return vec![asked(word::TRIGGER)];
    }
    vec![asked(word::START), asked(word::CANCEL)]
}

fn what_of(message: &Message) -> Option<What> {
    let (path, child): (String, Uuid) = (message.path.clone(), message.source);
    match message.word.as_str() {
        word::STARTED => Some(What::ChildStarted { path, child }),
        word::ENDED | word::REFUSED => {
            let outcome: Outcome = serde_json::from_str(&message.body).ok()?;
            let result = match outcome.error {
                None => Ok(outcome.output.into()),
                Some(error) => Err(error),
            };
            Some(What::ChildEnded { path, child, result })
        }
        word::CANCEL => {
            let reason = Some(format!("the step `{path}` that asked for it was stopped"));
            Some(What::Cancel { by: format!("run {child}"), reason })
        }
        _ => None,
    }
}
