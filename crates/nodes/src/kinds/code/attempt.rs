//! One attempt: what it is called with, what it wished for, what came of it.

use serde_json::{Value, json};
use windlass_core::limits::DETAILS_BYTES_MAX;
use windlass_core::run::AttemptError;

use super::javascript::Job;
use super::{Code, Language, MEMORY_DEFAULT, PROCESS_COUNT_MAX, RESULT, python};
use crate::child::{self, Ended, NotEnded};
use crate::context::NodeContext;
use crate::node::{fail, retry};
use crate::sandbox::{Enclosure, Limits, Paths, SandboxSettings, Task, Wish};

/// Address space that the engine's own program takes, besides what the code may have.
const ENGINE_BYTES: u64 = 2 << 30;

pub(super) async fn run(code: Code, context: NodeContext) -> Result<Value, AttemptError> {
    let limit = code.timeout.map(|timeout| timeout.0);
    let made = async {
        match code.language {
            Language::Javascript => javascript(code, &context).await,
            Language::Python => python::run(code, &context).await,
        }
    };
    match limit {
        // What is under way is ended by being dropped.
        Some(limit) => tokio::time::timeout(limit, made).await.unwrap_or_else(|_| {
            Err(retry("timeout", "the time of `config.timeout` was up before it had ended"))
        }),
        None => made.await,
    }
}

impl Code {
    pub(super) fn limits(&self, settings: &SandboxSettings) -> Limits {
        let memory = self.memory.map_or(MEMORY_DEFAULT, |memory| memory.0);
        Limits {
            memory: Some(memory.min(settings.memory_max)),
            processes: Some(PROCESS_COUNT_MAX.min(settings.process_count_max)),
            file: Some(settings.file_bytes_max),
            cpu: None,
        }
    }

    pub(super) fn paths(&self) -> Paths {
        Paths::from(&self.sandbox)
    }
}

async fn javascript(code: Code, context: &NodeContext) -> Result<Value, AttemptError> {
    let sandbox = context.shell.sandbox.clone();
    let mut limits = code.limits(sandbox.settings());
    let memory = limits.memory.unwrap_or(MEMORY_DEFAULT);
    limits.memory = Some(memory.saturating_add(ENGINE_BYTES));
    let wish = Wish {
        task: Task::JavaScript,
        has_network: code.network,
        paths: Some(code.paths()),
        limits,
        ..Wish::default()
    };
    let enclosure = Enclosure::begin(&sandbox, context, wish).await?;
    let job = Job { code: code.code, arguments: Value::Object(code.input_mapping), memory };
    let command = enclosure.command(&sandbox)?;
    let ended = child::run(command, Some(bytes(&job)?), context, Some(&enclosure)).await;
    let ended = ended.map_err(not_ended)?;
    enclosure.check(&ended)?;
    outcome(&ended, enclosure.result(RESULT))
}

pub(super) fn bytes(job: &impl serde::Serialize) -> Result<Vec<u8>, AttemptError> {
    serde_json::to_vec(job).map_err(|error| fail("bad_config", error.to_string()))
}

pub(super) fn not_ended(error: NotEnded) -> AttemptError {
    match error {
        NotEnded::Start(error) => retry("start", format!("it cannot be started: {error}")),
        NotEnded::Other(error) => error,
    }
}

/// The output, or why there is none. The code had the file in its hands, so anything may be in it.
pub(super) fn outcome(
    ended: &Ended,
    result: Result<Option<Value>, AttemptError>,
) -> Result<Value, AttemptError> {
    let mut result = match result {
        Ok(Some(Value::Object(result))) if ended.status.success() => result,
        Err(error) if ended.status.success() => return Err(error),
        _ => {
            let mut error =
                retry("crashed", format!("{} instead of returning", child::words(ended.status)));
            error.failure.details = Some(json!({ "stdout": ended.stdout, "stderr": ended.stderr }));
            return Err(error);
        }
    };
    if let Some(output) = result.remove("output") {
        return Ok(output);
    }
    let error = result.remove("error").unwrap_or_default();
    let text = |name: &str| error[name].as_str().unwrap_or_default();
    let known = ["exception", "out_of_memory", "bad_output", "bad_config"];
    let code = known.into_iter().find(|known| *known == text("code")).unwrap_or("crashed");
    let mut told = match code {
        "exception" | "crashed" => retry(code, text("message")),
        _ => fail(code, text("message")),
    };
    let traceback = text("traceback");
    if code == "exception" && traceback.len() < DETAILS_BYTES_MAX / 2 {
        told.failure.details = Some(json!({ "type": text("type"), "traceback": traceback }));
    }
    Err(told)
}
