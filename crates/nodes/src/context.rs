use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::journal::Journal;
use crate::kinds::http::HttpClient;
use crate::kinds::shell::ShellSettings;
use crate::llm::{LlmSettings, Meter};
use crate::prompt::PromptSettings;
use crate::reports::LiveSink;
use crate::workflows::Workflows;

/// All that an attempt gets besides its config.
#[derive(Clone, Debug)]
pub struct NodeContext {
    /// The run.
    pub run_id: Uuid,
    /// The step's address in the run.
    pub step: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// On what terms it is made.
    pub terms: Terms,
    /// Where log lines go.
    pub logs: LogSink,
    /// Where goes what is only worth showing at once.
    pub live: LiveSink,
    /// Where calls to language models are counted.
    pub meter: Meter,
    /// Whether to stop.
    pub stop: Stop,
    /// For requests to elsewhere.
    pub http: Arc<HttpClient>,
    /// For child processes.
    pub shell: Arc<ShellSettings>,
    /// For language models.
    pub llm: Arc<LlmSettings>,
    /// For prompt files.
    pub prompts: Arc<PromptSettings>,
    /// What is to be known of the attempt besides its result.
    pub notes: Notes,
    /// What the step has recorded, and a way to record more.
    pub journal: Journal,
    /// The other workflows of the project.
    pub workflows: Arc<dyn Workflows>,
}

/// On what terms an attempt is made, for whoever has it made by somebody else.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The project of the run.
    pub project: Arc<str>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether it may be made anew when nobody knows what has become of it.
    pub may_repeat: bool,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms { project: Arc::from("default"), timeout: None, may_repeat: true }
    }
}

/// What an attempt tells of itself. All copies share what is told.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    sandbox: Arc<OnceLock<String>>,
}

impl Notes {
    /// Which parts of the boundary stood around the attempt. The first word counts.
    pub fn sandbox(&self, level: impl Into<String>) {
        let _ = self.sandbox.set(level.into());
    }

    /// What was said of the boundary, if there was one to speak of: `full, Landlock 7; network closed`.
    pub fn sandbox_level(&self) -> Option<&str> {
        self.sandbox.get().map(String::as_str)
    }
}

impl NodeContext {
    /// The same for every attempt of the step, so that the other side can recognise a repetition.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.run_id, self.step)
    }
}

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// By Windlass itself.
    System,
}

/// A line that an attempt has written, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where to.
    pub stream: LogStream,
    /// The text.
    pub text: String,
}

/// Takes log lines. It holds its writer back when lines come faster than they can be kept.
#[derive(Clone, Debug)]
pub struct LogSink {
    lines: mpsc::Sender<LogLine>,
}

impl LogSink {
    /// A sink, and where its lines come out.
    pub fn channel() -> (LogSink, mpsc::Receiver<LogLine>) {
        let (lines, out) = mpsc::channel(1_024);
        (LogSink { lines }, out)
    }

    /// Takes a line. One that nobody listens to any more is dropped.
    pub async fn line(&self, stream: LogStream, text: String) {
        let _ = self.lines.send(LogLine { stream, text }).await;
    }
}

/// Why an attempt is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The step was cancelled. Its result is of no interest.
    Cancelled,
    /// Its time is up.
    TimedOut,
    /// The server is going down. The attempt will be made again by the next one.
    ShuttingDown,
}

/// Tells an attempt to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<Option<StopReason>>,
}

impl Stop {
    /// A way to ask, and what is asked through it.
    pub fn channel() -> (watch::Sender<Option<StopReason>>, Stop) {
        let (ask, asked) = watch::channel(None);
        (ask, Stop { asked })
    }

    /// Waits until the attempt is to stop. Never returns if nobody can ask any more.
    pub async fn asked(&mut self) -> StopReason {
        let reason = self.asked.wait_for(Option::is_some).await.map(|reason| *reason);
        match reason {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }
}
