//! A log line as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;
use windlass_store::{LogLevel, LogRow};

/// A line that a step has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogLineBody {
    /// Its number among the run's lines, from 1.
    pub log_seq: u64,
    /// When it was written, RFC 3339.
    #[schema(format = DateTime)]
    pub at: String,
    /// The step that wrote it.
    pub path: String,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// `stdout`, `stderr`, `system` for a line of Windlass itself, or `log` for one of another
    /// program's logger.
    pub stream: &'static str,
    /// The text.
    pub text: String,
    /// `debug`, `info`, `warning`, `error` or `critical`, if whoever wrote it has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<&'static str>,
}

impl From<LogRow> for LogLineBody {
    fn from(row: LogRow) -> LogLineBody {
        LogLineBody {
            log_seq: row.log_seq,
            at: row.at.to_string(),
            path: row.path,
            attempt: row.attempt,
            stream: row.stream.as_str(),
            text: row.text,
            level: row.level.map(LogLevel::as_str),
        }
    }
}
