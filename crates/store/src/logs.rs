//! Log lines, and which of them are asked for.

use uuid::Uuid;
use windlass_core::Time;

/// A line that a step has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its number among the run's lines, from 1.
    pub log_seq: u64,
    /// When it was written.
    pub at: Time,
    /// The step that wrote it.
    pub path: String,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// Where it was written to: `stdout`, `stderr`, `system` for a line of ours, or `log`.
    pub stream: LogStream,
    /// The text, without the line's end.
    pub text: String,
    /// How serious it is, if whoever wrote it has said so.
    pub level: Option<LogLevel>,
}

/// How serious a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For whoever looks for a mistake.
    Debug,
    /// What is to be expected.
    Info,
    /// Something to look at.
    Warning,
    /// Something did not work.
    Error,
    /// Nothing works.
    Critical,
}

impl LogLevel {
    /// All of them.
    pub const ALL: [LogLevel; 5] =
        [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error, LogLevel::Critical];

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warning => "warning",
            LogLevel::Error => "error",
            LogLevel::Critical => "critical",
        }
    }

    /// The level of a word, as Python's, Java's and other loggers spell it, in any case.
    pub fn parse(word: &str) -> Option<LogLevel> {
        let word = word.to_ascii_lowercase();
        Some(match &*word {
            "trace" | "debug" | "notset" => LogLevel::Debug,
            "info" | "information" | "notice" => LogLevel::Info,
            "warn" | "warning" => LogLevel::Warning,
            "error" | "err" => LogLevel::Error,
            "critical" | "fatal" | "panic" | "alert" | "emergency" => LogLevel::Critical,
            _ => return None,
        })
    }

    /// Python's number for it, as the store has it.
    pub fn number(self) -> i64 {
        match self {
            LogLevel::Debug => 10,
            LogLevel::Info => 20,
            LogLevel::Warning => 30,
            LogLevel::Error => 40,
            LogLevel::Critical => 50,
        }
    }

    /// The level of a number, those between counting as the one below; `None` if it is negative.
    pub fn of_number(number: i64) -> Option<LogLevel> {
        Some(match number {
            ..0 => return None,
            0..20 => LogLevel::Debug,
            20..30 => LogLevel::Info,
            30..40 => LogLevel::Warning,
            40..50 => LogLevel::Error,
            50.. => LogLevel::Critical,
        })
    }
}

/// Where a log line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// The step's standard output.
    Stdout,
    /// The step's standard error.
    Stderr,
    /// By Windlass itself, about the step.
    System,
    /// To a logger of another program.
    Log,
}

impl LogStream {
    /// The word in the store and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
            LogStream::System => "system",
            LogStream::Log => "log",
        }
    }

    /// The stream of this word.
    pub fn parse(word: &str) -> Option<LogStream> {
        [LogStream::Stdout, LogStream::Stderr, LogStream::System, LogStream::Log]
            .into_iter()
            .find(|stream| stream.as_str() == word)
    }
}

/// Which lines of a run are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only lines of this step.
    pub path: Option<String>,
    /// Only lines that are at least this serious. One that does not say counts as information.
    pub level: Option<LogLevel>,
    /// Only lines written at this time or later.
    pub from: Option<Time>,
    /// Only lines written before this time.
    pub until: Option<Time>,
    /// Only lines that have what this asks for, in the words of [`LogSearch::text`].
    pub text: Option<String>,
}

/// Which lines are looked for across runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSearch {
    /// What a line must have. White space parts the text; what stands in double quotes stays together.
    /// Each part asks for its words side by side, and all parts must be there. A word is an unbroken
    /// row of letters and digits, whatever their case. Behind a `*`, the last word of a part may go
    /// on. A text without a word finds nothing. Of a longer line, only the first
    /// [`SEARCHED_BYTES_MAX`] are looked at.
    pub text: String,
    /// Only lines that are at least this serious. One that does not say counts as information.
    pub level: Option<LogLevel>,
    /// Only lines written at this time or later.
    pub from: Option<Time>,
    /// Only lines written before this time.
    pub until: Option<Time>,
    /// Only lines of runs of this workflow.
    pub workflow_id: Option<Uuid>,
}

/// How much of a line is looked at when a text is searched for. No step can write a longer line.
pub const SEARCHED_BYTES_MAX: usize = 64 * 1024;

/// A line that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLine {
    /// Its number among all lines of the store: those written later have larger ones.
    pub line_id: i64,
    /// The run.
    pub run_id: Uuid,
    /// The workflow's name at that time.
    pub workflow: String,
    /// The line.
    pub line: LogRow,
}
