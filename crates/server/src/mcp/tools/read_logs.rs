use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_store::LogFilter;

use crate::access::Permission;
use crate::api::runs::logs::lines;
use crate::http::problem::{self, Problem};
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Lines of a page if `limit` is left out, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 500;
/// A page ends early once its lines have as many bytes.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Reads log lines that the steps of a run have written, in order. Answers with `last_log_seq`; give
/// it as `after` to read on, or to see later what was written since.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadLogs {
    /// The run's id or external id.
    run: String,
    /// Only lines of the step of this path.
    #[serde(default)]
    step: Option<String>,
    /// Only lines behind this `log_seq`.
    #[serde(default)]
    after: u64,
    /// How many lines, 1 to 500. 100 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

impl Tool for ReadLogs {
    const NAME: &'static str = "read_logs";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let message = format!("`limit`: a number from 1 to {LIMIT_MAX}");
            return Err(Problem::new(problem::INVALID_REQUEST, message));
        }
        let filter = LogFilter { path: self.step, ..LogFilter::default() };
        let found = lines(&call.app, &call.caller, &self.run, filter, self.after, limit).await?;
        let (mut shown, mut bytes, mut last) = (Vec::new(), 0, self.after);
        let mut has_more = found.next_cursor.is_some();
        for line in found.items {
            bytes += line.text.len();
            if bytes > PAGE_BYTES_MAX && !shown.is_empty() {
                has_more = true;
                break;
            }
            last = line.log_seq;
            shown.push(json!({
                "log_seq": line.log_seq,
                "at": line.at,
                "step": line.path,
                "attempt": line.attempt,
                "stream": line.stream,
                "text": show::fit(line.text.into()),
            }));
        }
        Ok(json!({ "lines": shown, "last_log_seq": last, "has_more": has_more }))
    }
}
