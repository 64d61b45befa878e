//! A log line as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;
use windlass_store::LogRow;

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
    /// `stdout`, `stderr`, or `system` for a line of Windlass itself.
    pub stream: &'static str,
    /// The text.
    pub text: String,
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
        }
    }
}
