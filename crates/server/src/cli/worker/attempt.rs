use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinSet;
use windlass_client::{Fail, Stop as Told, Task};
use windlass_core::expr::SecretSlot;
use windlass_core::run::AttemptError;
use windlass_core::{Failure, HumanDuration};
use windlass_engine::{Mask, SecretSource, fill_secrets};
use windlass_nodes::llm::{Meter, Tally};
use windlass_nodes::{
    Executor, LiveSink, LogLine, LogSink, LogStream, NodeContext, Outcome, Stop, StopReason, Terms,
    fail,
};

use super::records::journal;
use crate::app::App;

/// What is to be done.
pub(super) struct Attempt {
    /// The kind.
    pub(super) kind: String,
    /// Its config, rendered.
    pub(super) config: Value,
    /// Where secrets of this machine belong in it.
    pub(super) secrets: Vec<SecretSlot>,
}

impl Attempt {
    /// Makes the attempt that a task is, and hides what is a secret of this machine.
    pub(super) async fn make(self, app: &App, task: Task) -> Result<Value, Fail> {
        let Some(executor) = app.registry.executor(&self.kind) else {
            let message = format!("`{:.60}` is no kind that a worker does by itself", self.kind);
            return Err(Fail::fatal("unknown_kind", message));
        };
        let Ok(run_id) = task.run_id.parse() else {
            return Err(Fail::fatal("bad_task", "the id of the run is none"));
        };
        let project: Arc<str> = Arc::from(task.project.as_deref().unwrap_or(crate::app::PROJECT));
        let vault: Arc<dyn SecretSource> = app.vault.clone();
        let config = Arc::new(self.config);
        let filled = fill_secrets(config, self.secrets, project.clone(), &vault).await;
        let (config, mask) = filled.map_err(of_error)?;
        let mask = Arc::new(mask.with_keys(&self.kind, &app.trial.llm));
        let result = match executor {
            Executor::Inline(run) => run(config),
            Executor::Task(run) => {
                let (ask, stop) = Stop::channel();
                let (logs, mut lines) = LogSink::channel();
                let timeout = task.timeout.as_deref();
                let timeout = timeout.and_then(|text| text.parse::<HumanDuration>().ok());
                let context = NodeContext {
                    run_id,
                    step: task.step.clone(),
                    attempt: task.attempt,
                    terms: Terms { project, timeout: timeout.map(|it| it.0), may_repeat: true },
                    logs,
                    stop,
                    http: app.trial.http.clone(),
                    shell: app.trial.shell.clone(),
                    notes: Default::default(),
                    journal: journal(&task, mask.clone()),
                    live: LiveSink::none(),
                    meter: Meter::new(Arc::new(Tally::default())),
                    workflows: windlass_nodes::no_workflows(),
                    llm: app.trial.llm.clone(),
                    prompts: app.trial.prompts.clone(),
                };
                // Whoever is dropped takes the attempt along.
                let mut attempt = JoinSet::new();
                attempt.spawn(run(config, context));
                let mut is_told = false;
                let ended = loop {
                    tokio::select! {
                        Some(line) = lines.recv() => hear(&task, line, &mask),
                        ended = attempt.join_next() => break ended,
                        told = task.stopped(), if !is_told => {
                            is_told = true;
                            ask.send_replace(Some(reason(&told)));
                        }
                    }
                };
                while let Ok(line) = lines.try_recv() {
                    hear(&task, line, &mask);
                }
                // Another attempt may come to another machine: what a step keeps is of no use here.
                let (kept, step) = (app.trial.shell.clone(), task.step.clone());
                let removed = move || kept.kept.remove_step(run_id, &step);
                let _ = tokio::task::spawn_blocking(removed).await;
                outcome(ended)
            }
        };
        result.map(|output| mask.value(output)).map_err(|error| of_error(mask.error(error)))
    }
}

fn hear(task: &Task, line: LogLine, mask: &Mask) {
    let stream = match line.stream {
        LogStream::Stdout => windlass_client::LogStream::Stdout,
        LogStream::Stderr | LogStream::System => windlass_client::LogStream::Stderr,
    };
    task.log(stream, mask.line(line.text));
}

fn reason(told: &Told) -> StopReason {
    match told {
        Told::Asked(why) if why == "timed_out" => StopReason::TimedOut,
        Told::Asked(why) if why == "shutting_down" => StopReason::ShuttingDown,
        Told::Asked(_) | Told::Lost | Told::LeaseEnds => StopReason::Cancelled,
        Told::Draining => StopReason::ShuttingDown,
    }
}

type Ended = Option<Result<Result<Outcome, AttemptError>, tokio::task::JoinError>>;

fn outcome(ended: Ended) -> Result<Value, AttemptError> {
    match ended {
        Some(Ok(Ok(Outcome::Output(output)))) => Ok(output),
        Some(Ok(Ok(Outcome::Ask { question, .. }))) => {
            let title = question["title"].as_str().unwrap_or_default();
            let message = format!("it would ask somebody, which it cannot do from here: {title}");
            Err(fail("asks", message))
        }
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => {
            tracing::error!(%error, "a node has panicked");
            Err(fail("panic", "the node has a fault and has ended; the worker's log says where"))
        }
        None => Err(fail("panic", "the attempt has ended without an end")),
    }
}

fn of_error(error: AttemptError) -> Fail {
    fail_of(error.failure, error.is_final)
}

/// A failure as the protocol says it.
pub(super) fn fail_of(failure: Failure, is_final: bool) -> Fail {
    let Failure { code, message, details, .. } = failure;
    let fail = if is_final { Fail::fatal(code, message) } else { Fail::retry(code, message) };
    Fail { details, ..fail }
}
