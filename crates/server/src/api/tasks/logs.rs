use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;
use windlass_core::limits::LOG_LINE_COUNT_MAX;
use windlass_store::LogStream;

use super::{hold, refused, scope_of, task_id};
use crate::access::Caller;
use crate::api::query::Named;
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Texts that may be sent at once.
const TEXT_COUNT_MAX: usize = 1_000;

/// Log lines of a task.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsRequest {
    /// The worker's name, as in its poll.
    #[schema(min_length = 1, max_length = 100)]
    pub worker: String,
    /// The task's `fence`.
    pub fence: u64,
    /// At most 1,000, in order.
    #[schema(max_items = 1000)]
    pub lines: Vec<TaskLine>,
}

/// A log line of a task. One with line breaks in it becomes several.
#[derive(Clone, Debug, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskLine {
    /// Where to. `stdout` if left out.
    #[serde(default)]
    pub stream: TaskStream,
    /// What.
    pub text: String,
}

/// Where a log line goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStream {
    /// What it has to say.
    #[default]
    Stdout,
    /// What went wrong.
    Stderr,
}

/// Adds log lines to the attempt that a task is.
///
/// They are kept with what is committed next: 202 does not mean that they are durable. A line has at
/// most 16 KiB, an attempt at most 100,000 lines; what is more is cut off or dropped.
#[utoipa::path(
    post, path = "/api/v1/tasks/{task}/logs", tag = "workers",
    params(("task" = String, Path, description = "Its id")),
    request_body(content = LogsRequest),
    responses(
        (status = 202, description = "They are on their way"),
        (status = 409, description = "`lease-lost` or `task-over`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn add_logs(
    State(app): Shared,
    caller: Caller,
    Named(word): Named<String>,
    Body(request): Body<LogsRequest>,
) -> Result<StatusCode, Problem> {
    let (id, hold) = (task_id(&word)?, hold(request.worker, request.fence)?);
    if request.lines.len() > TEXT_COUNT_MAX {
        let message = format!("at most {TEXT_COUNT_MAX} lines may be sent at once");
        return Err(Problem::parameter("lines", message).in_body());
    }
    let most = usize::try_from(LOG_LINE_COUNT_MAX + 1).unwrap_or(usize::MAX);
    let mut lines = Vec::with_capacity(request.lines.len());
    for line in request.lines {
        let stream = match line.stream {
            TaskStream::Stdout => LogStream::Stdout,
            TaskStream::Stderr => LogStream::Stderr,
        };
        // Two bytes can be a line. The board refuses what is too many.
        let room = most.saturating_sub(lines.len());
        lines.extend(line.text.lines().take(room).map(|text| (stream, text.to_owned())));
    }
    app.engine.log_task(&scope_of(&caller), id, &hold, lines).await.map_err(refused)?;
    Ok(StatusCode::ACCEPTED)
}
