//! One attempt of a node outside of any run: with its secrets, its time and what it says.
//!
//! The engine's dispatcher makes the attempts of runs; this is for trying things out, and nothing of
//! it is kept.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::task::JoinSet;
use utoipa::ToSchema;
use windlass_core::Failure;
use windlass_core::expr::SecretSlot;
use windlass_core::run::AttemptError;
use windlass_engine::{Mask, SecretSource, fill_secrets};
use windlass_nodes::llm::{Meter, Tally, Usage};
use windlass_nodes::{
    Attempt, Executor, Journal, LiveSink, LogLine, LogSink, LogStream, NodeContext, Outcome, Stop,
    StopReason, Terms, fail,
};

use crate::app::App;

/// The id of the node that is tried out.
pub(crate) const NODE: &str = "tested";
/// How long a node may take to end when its time is up.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Log lines that are kept.
const LINES_MAX: usize = 1_000;

/// A node that is to be tried out.
pub(crate) struct TestAttempt<'a> {
    /// What it is.
    pub(crate) kind: &'a str,
    /// Its config, rendered, with secrets as they are written.
    pub(crate) config: Value,
    /// Where secrets belong in it.
    pub(crate) secrets: Vec<SecretSlot>,
    /// Whose secrets.
    pub(crate) project: &'a str,
    /// How long it may take.
    pub(crate) time_max: Duration,
}

/// What has come of it, with secrets hidden.
pub(crate) struct Tried {
    /// The output.
    pub(crate) result: Result<Value, Failure>,
    /// What it has written, up to 1,000 lines.
    pub(crate) logs: Vec<TestLine>,
    /// What its exchanges with language models took.
    pub(crate) usage: Vec<Usage>,
}

/// A line that it has written.
#[derive(Debug, Serialize, ToSchema)]
pub struct TestLine {
    /// `stdout`, `stderr` or `system`.
    pub stream: &'static str,
    /// The text.
    pub text: String,
}

impl TestAttempt<'_> {
    /// Makes the attempt.
    pub(crate) async fn make(self, app: &Arc<App>) -> Tried {
        let mut tried = Tried {
            result: Err(Failure::new("unknown_kind", "the kind has no executor here")),
            logs: Vec::new(),
            usage: Vec::new(),
        };
        let executor = app.registry.executor(self.kind);
        if executor.is_none() && app.registry.plugin_of(self.kind).is_none() {
            return tried;
        }
        let vault: Arc<dyn SecretSource> = app.vault.clone();
        let config = Arc::new(self.config);
        let filled = fill_secrets(config, self.secrets, Arc::from(self.project), &vault).await;
        let (config, mask) = match filled {
            Ok(filled) => filled,
            Err(error) => {
                tried.result = Err(error.failure);
                return tried;
            }
        };
        let mask = mask.with_keys(self.kind, &app.trial.llm);
        let result = match executor {
            None => {
                let what = (self.project, self.kind);
                try_out(app, what, config, (self.time_max, &mask, &mut tried)).await
            }
            Some(Executor::Inline(run)) => run(config),
            Some(Executor::Task(run)) => {
                let _turn = app.trial.turns.acquire().await;
                let begin = |context| run(config, context);
                let terms = Terms {
                    project: Arc::from(self.project),
                    timeout: Some(self.time_max),
                    may_repeat: true,
                };
                follow(app, begin, (self.time_max, terms), (&mask, &mut tried)).await
            }
        };
        tried.result =
            result.map(|output| mask.value(output)).map_err(|error| mask.error(error).failure);
        tried
    }
}

/// Has a worker make an attempt.
async fn try_out(
    app: &Arc<App>,
    (project, kind): (&str, &str),
    config: Value,
    (time_max, mask, tried): (Duration, &Mask, &mut Tried),
) -> Result<Value, AttemptError> {
    let now = app.engine.clock().now();
    let task_id = windlass_engine::ids::new_id(now);
    let mut trial = app.engine.desk().try_out((task_id, project, kind), config, now);
    let ended = tokio::time::timeout(time_max, trial.ended()).await;
    for (stream, text) in trial.lines() {
        tried.keep(stream.as_str(), text, mask);
    }
    ended.unwrap_or_else(|_| Err(timed_out(time_max)))
}

/// Has an attempt made, and takes down what it says until it is over.
async fn follow(
    app: &Arc<App>,
    begin: impl FnOnce(NodeContext) -> Attempt,
    (time_max, terms): (Duration, Terms),
    (mask, tried): (&Mask, &mut Tried),
) -> Result<Value, AttemptError> {
    let (ask, stop) = Stop::channel();
    let (sink, mut lines) = LogSink::channel();
    let tally = Arc::new(Tally::default());
    let run_id = windlass_engine::ids::new_id(app.engine.clock().now());
    let context = NodeContext {
        run_id,
        step: NODE.to_owned(),
        attempt: 1,
        terms,
        logs: sink,
        stop,
        http: app.trial.http.clone(),
        shell: app.trial.shell.clone(),
        notes: Default::default(),
        journal: Journal::none(),
        live: LiveSink::none(),
        meter: Meter::new(tally.clone()),
        workflows: windlass_nodes::no_workflows(),
        llm: app.trial.llm.clone(),
        prompts: app.trial.prompts.clone(),
    };
    // Whoever hangs up takes the attempt along.
    let mut task = JoinSet::new();
    task.spawn(begin(context));
    let deadline = tokio::time::sleep(time_max);
    tokio::pin!(deadline);
    let result = loop {
        tokio::select! {
            Some(line) = lines.recv() => tried.hear(line, mask),
            result = task.join_next() => break ended(result, time_max),
            () = &mut deadline => {
                if ask.send_replace(Some(StopReason::TimedOut)).is_some() {
                    break Err(timed_out(time_max));
                }
                deadline.as_mut().reset(tokio::time::Instant::now() + STOP_GRACE);
            }
        }
    };
    while let Ok(line) = lines.try_recv() {
        tried.hear(line, mask);
    }
    tried.usage = tally.take();
    let shell = app.trial.shell.clone();
    // What a step keeps goes with its run, and there is none.
    let _ = tokio::task::spawn_blocking(move || shell.kept.remove_run(run_id)).await;
    result
}

impl Tried {
    fn hear(&mut self, line: LogLine, mask: &Mask) {
        let stream = match line.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
            LogStream::System => "system",
        };
        self.keep(stream, line.text, mask);
    }

    fn keep(&mut self, stream: &'static str, text: String, mask: &Mask) {
        if self.logs.len() < LINES_MAX {
            self.logs.push(TestLine { stream, text: mask.line(text) });
        }
    }
}

type Ended = Result<Result<Outcome, AttemptError>, tokio::task::JoinError>;

fn ended(result: Option<Ended>, time_max: Duration) -> Result<Value, AttemptError> {
    match result {
        Some(Ok(Ok(Outcome::Output(output)))) => Ok(output),
        Some(Ok(Ok(Outcome::Ask { question, .. }))) => {
            let title = question["title"].as_str().unwrap_or_default();
            Err(fail(
                "asks",
                format!("it would ask somebody, which it can only do in a run: {title}"),
            ))
        }
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => {
            tracing::error!(%error, "a node has panicked");
            Err(fail("panic", "the node has a fault and has ended; the server's log says where"))
        }
        None => Err(timed_out(time_max)),
    }
}

fn timed_out(time_max: Duration) -> AttemptError {
    fail("timeout", format!("the attempt did not end within {time_max:?}"))
}
