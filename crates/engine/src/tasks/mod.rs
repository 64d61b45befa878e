//! What workers outside ask of the engine, and say to it.

mod claim;
mod sweep;

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;
use windlass_core::limits::{LOG_LINE_BYTES_MAX, LOG_LINE_COUNT_MAX};
use windlass_core::run::{AttemptError, Hold, Outcome, Refused, TaskAct};
use windlass_store::LogStream;

use crate::desk::{Beat, Grip, Over, Said, Scope, TaskRefused};
use crate::dispatch::Mask;
use crate::engine::Engine;
use crate::live::LiveNote;
use crate::shard::{Answer, Command, Input, Report};
use crate::view::{StepView, TaskOf, TaskView};

pub use claim::{Claimed, Unheard};

/// Something that happens in a task, for whoever looks on.
#[derive(Clone, Debug)]
pub enum Told {
    /// Further words of a model.
    Words {
        /// Which of the attempt's answers they belong to.
        turn: u64,
        /// The words.
        text: String,
    },
    /// Anything else.
    Note {
        /// What kind of thing.
        kind: String,
        /// The rest, by kind.
        data: Value,
    },
}

impl Engine {
    /// A unit of work or a step that workers make, as it stands.
    ///
    /// # Errors
    ///
    /// That there is none.
    pub async fn show_task(&self, run_id: Uuid, path: &str) -> Result<TaskView, TaskRefused> {
        let command = Command::ShowTask { path: path.to_owned() };
        answered(self.command(run_id, command).await)
    }

    /// Notes how far a worker has come, durably.
    ///
    /// # Errors
    ///
    /// That the task is not its own.
    pub async fn checkpoint_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        value: Value,
    ) -> Result<(), TaskRefused> {
        let grip = self.desk().grip(scope, task_id, hold, None)?;
        if grip.is_tried {
            return Ok(());
        }
        let value = self.mask_of(&grip).await?.value(value);
        let act = TaskAct::Checkpoint { hold: grip.hold.clone(), value: Arc::new(value) };
        self.act(&grip, act).await.map(drop)
    }

    /// Takes log lines of a task. They are kept with what is committed next.
    ///
    /// # Errors
    ///
    /// That the task is not the worker's own.
    pub async fn log_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        lines: Vec<(LogStream, String)>,
    ) -> Result<(), TaskRefused> {
        let grip = self.desk().grip(scope, task_id, hold, None)?;
        if grip.is_tried {
            let lines = lines.into_iter().map(|(stream, text)| (stream, cut(text)));
            self.desk().log_trial(task_id, lines.collect());
            return Ok(());
        }
        let mask = self.mask_of(&grip).await?;
        let count = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let before = self.desk().count_lines(task_id, count);
        let at = self.clock().now();
        let room = LOG_LINE_COUNT_MAX.saturating_sub(before);
        let mut kept: Vec<_> = lines
            .into_iter()
            .take(usize::try_from(room).unwrap_or(usize::MAX))
            .map(|(stream, text)| (at, stream, cut(mask.text(text))))
            .collect();
        if room < count && before <= LOG_LINE_COUNT_MAX {
            let text = format!("more than {LOG_LINE_COUNT_MAX} lines: the rest is dropped");
            kept.push((at, LogStream::System, text));
        }
        let Grip { run_id, path, attempt, .. } = grip;
        let (path, report) = (path.to_string(), Report::Logs { lines: kept });
        self.shared.send(run_id, Input::Report { run_id, path, attempt, report });
        Ok(())
    }

    /// Tells whoever looks on of something that happens in a task. Nothing of it is kept.
    ///
    /// # Errors
    ///
    /// That the task is not the worker's own.
    pub async fn tell_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        told: Told,
    ) -> Result<(), TaskRefused> {
        let grip = self.desk().grip(scope, task_id, hold, None)?;
        if grip.is_tried {
            return Ok(());
        }
        let mask = self.mask_of(&grip).await?;
        let Grip { run_id, path, attempt, .. } = grip;
        match told {
            Told::Words { turn, text } => {
                if self.desk().speaks(task_id) {
                    self.live().say(run_id, &path, (attempt, turn), &mask.text(text));
                }
            }
            Told::Note { kind, data } => {
                let (path, data) = (path.to_string(), mask.value(data));
                self.live().tell(LiveNote { run_id, path, attempt, kind, data });
            }
        }
        Ok(())
    }

    /// Ends a task. Said twice by the same worker, it counts once. The answer comes when it is
    /// durable.
    ///
    /// # Errors
    ///
    /// That the task is not its own, that what is said of it cannot be, or that the output does not
    /// fit its kind, by which the attempt has failed.
    pub async fn complete_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        outcome: Outcome,
    ) -> Result<(), TaskRefused> {
        let said = self.grip_to_end(scope, task_id, hold, Said::Done)?;
        let Some((grip, mut ending)) = said else { return Ok(()) };
        let outcome = match outcome {
            Outcome::Output(output) => {
                let registry = self.dispatcher.registry();
                let kind = registry.kinds().get(&grip.kind);
                let schema = kind.and_then(|kind| kind.output_schema.as_ref());
                let violations = schema.map(|schema| schema.violations(&output));
                if let Some(violations) = violations.filter(|found| !found.is_empty()) {
                    let first =
                        violations.first().map(|one| (one.path.clone(), one.message.clone()));
                    let (path, message) = first.unwrap_or_default();
                    let message = format!("the output at `{path}`: {message}");
                    let error = windlass_nodes::fail("bad_output", message);
                    self.end(&grip, &mut ending, Err(error)).await?;
                    return Err(TaskRefused::BadOutput(violations));
                }
                let mask = self.mask_of(&grip).await?;
                Outcome::Output(Arc::new(mask.value((*output).clone())))
            }
            outcome => outcome,
        };
        self.end(&grip, &mut ending, Ok(outcome)).await
    }

    /// Says that a task could not be done.
    ///
    /// # Errors
    ///
    /// That it is not the worker's own.
    pub async fn fail_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        error: AttemptError,
    ) -> Result<(), TaskRefused> {
        let said = self.grip_to_end(scope, task_id, hold, Said::Failed)?;
        let Some((grip, mut ending)) = said else { return Ok(()) };
        let error = self.mask_of(&grip).await?.error(error);
        self.end(&grip, &mut ending, Err(error)).await
    }

    /// What is about to end; `None` if it has ended by these very words already.
    fn grip_to_end(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        said: Said,
    ) -> Result<Option<(Grip, Ending<'_>)>, TaskRefused> {
        match self.desk().grip(scope, task_id, hold, Some(said)) {
            Ok(grip) => Ok(Some((grip, Ending { engine: self, task_id, said, may_count: false }))),
            // Its first answer may have got lost.
            Err(TaskRefused::Over(Over::Told)) if self.desk().has_said(task_id, hold, said) => {
                Ok(None)
            }
            Err(refused) => Err(refused),
        }
    }

    async fn end(
        &self,
        grip: &Grip,
        ending: &mut Ending<'_>,
        result: Result<Outcome, AttemptError>,
    ) -> Result<(), TaskRefused> {
        if grip.is_tried {
            let result = result.map(|outcome| match outcome {
                Outcome::Output(output) => (*output).clone(),
                Outcome::Unit(_) => Value::Null,
            });
            self.desk().end_trial(ending.task_id, result);
            return Ok(());
        }
        let hold = grip.hold.clone();
        let act = match result {
            Ok(outcome) => TaskAct::Complete { hold, outcome },
            Err(error) => TaskAct::Fail { hold, error },
        };
        ending.may_count = true;
        let ended = self.act(grip, act).await;
        ending.may_count = matches!(ended, Ok(()) | Err(TaskRefused::OutcomeUnknown(_)));
        match ended {
            // The same was said before, and has become durable only now.
            Err(TaskRefused::LeaseLost(_) | TaskRefused::Over(_))
                if self.desk().has_said(ending.task_id, &grip.hold, ending.said) =>
            {
                Ok(())
            }
            ended => ended,
        }
    }

    /// A sign of life: the lease begins anew, and the worker hears whether it is to stop. What it says
    /// of how far it has come is shown to whoever looks on.
    ///
    /// # Errors
    ///
    /// That the task is not its own.
    pub async fn heartbeat_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
        progress: Option<Value>,
    ) -> Result<Beat, TaskRefused> {
        let beat = self.desk().heartbeat(scope, task_id, hold, None)?;
        if let Some(progress) = progress.filter(|_| beat.cancel.is_none()) {
            let grip = self.desk().grip(scope, task_id, hold, None)?;
            let progress = self.mask_of(&grip).await?.value(progress);
            self.desk().heartbeat(scope, task_id, hold, Some(progress))?;
        }
        Ok(beat)
    }

    /// Gives a task back, for another worker or another time.
    ///
    /// # Errors
    ///
    /// That the task is not the worker's own.
    pub async fn release_task(
        &self,
        scope: &Scope,
        task_id: Uuid,
        hold: &Hold,
    ) -> Result<(), TaskRefused> {
        let grip = self.desk().grip(scope, task_id, hold, None)?;
        if grip.is_tried {
            self.desk().offer_trial_again(task_id);
            return Ok(());
        }
        let act = TaskAct::Release { hold: grip.hold.clone() };
        self.act(&grip, act).await
    }

    async fn act(&self, grip: &Grip, act: TaskAct) -> Result<(), TaskRefused> {
        let command = Command::Task { path: grip.path.to_string(), act };
        match self.command(grip.run_id, command).await {
            // A step that is over is shown no more.
            Answer::Run(_) => Ok(()),
            answer => answered(answer).map(drop),
        }
    }

    async fn fill(&self, view: &TaskView, step: &StepView) -> Result<(Value, Mask), AttemptError> {
        let secrets = self.dispatcher.secrets();
        let (input, slots) = (step.input.clone(), step.secrets.clone());
        crate::dispatch::fill_secrets(input, slots, view.project.clone(), secrets).await
    }

    /// What hides the secrets of a task. It is made anew if another process has handed it over.
    async fn mask_of(&self, grip: &Grip) -> Result<Arc<Mask>, TaskRefused> {
        if let Some(mask) = &grip.mask {
            return Ok(mask.clone());
        }
        if grip.is_tried || &*grip.kind == "unit" {
            return Ok(Arc::default());
        }
        let view = self.show_task(grip.run_id, &grip.path).await?;
        let TaskOf::Step(step) = &view.of else { return Ok(Arc::default()) };
        let filled = self.fill(&view, step).await;
        // A secret that is gone cannot be hidden; what says so tells nothing of it.
        Ok(Arc::new(filled.map(|(_, mask)| mask).unwrap_or_default()))
    }
}

/// A task that its holder is just ending. If that comes to nothing its lease counts as before. But what
/// its run was told may count though nobody hears of it, and must be known when it is said again.
struct Ending<'e> {
    engine: &'e Engine,
    task_id: Uuid,
    said: Said,
    may_count: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.may_count {
            self.engine.desk().not_ended(self.task_id);
        }
    }
}

fn answered(answer: Answer) -> Result<TaskView, TaskRefused> {
    match answer {
        Answer::Task(view) => Ok(*view),
        Answer::Refused(Refused::NotHolder(_) | Refused::NotOffered(_) | Refused::Stale { .. }) => {
            Err(TaskRefused::LeaseLost(None))
        }
        Answer::Refused(Refused::UnitStands { .. } | Refused::Finished(_)) => {
            Err(TaskRefused::Over(Over::Cancelled))
        }
        Answer::Refused(Refused::NoSuchStep(_)) | Answer::NoSuchRun => Err(TaskRefused::NotFound),
        Answer::Refused(refused) => Err(TaskRefused::Refused(refused)),
        Answer::OutcomeUnknown(message) => Err(TaskRefused::OutcomeUnknown(message)),
        Answer::Unavailable(message) | Answer::Broken(message) => {
            Err(TaskRefused::Unavailable(message))
        }
        _ => Err(TaskRefused::NotFound),
    }
}

/// A line within the bounds that all log lines have.
fn cut(mut text: String) -> String {
    if text.len() > LOG_LINE_BYTES_MAX {
        let is_end = |end: &usize| text.is_char_boundary(*end);
        let end = (0..=LOG_LINE_BYTES_MAX).rev().find(is_end).unwrap_or_default();
        text.truncate(end);
        text.push_str(" … [cut]");
    }
    text
}
