//! Each workflow of a project as a tool that runs it.

use std::time::Duration;

use rmcp::model::{JsonObject, Tool as Described};
use serde_json::Value;
use windlass_core::json;
use windlass_engine::{DefinitionError, Workflow};
use windlass_store::WorkflowRow;

use super::tool::{Call, Job};
use super::{name, schema, show};
use crate::access::Permission::Operate;
use crate::access::table::RUN_CREATE;
use crate::api::workflow::find;
use crate::api::workflows::execute::{ExecuteRequest, start};
use crate::api::workflows::list::rows;
use crate::client::segment;
use crate::http::paging::cursor;
use crate::http::problem::{self, Problem};

/// Workflows in a page of tools.
const COUNT_MAX: usize = 100;
/// A page of tools ends early once its schemas have as many bytes.
const SCHEMA_BYTES_MAX: usize = 1024 * 1024;
/// Characters of a workflow's description that agents read.
const DESCRIPTION_LENGTH_MAX: usize = 1_000;
/// How long a tool waits for the end of the run it has started, in seconds, unless it is told.
pub(super) const WAIT_SECONDS: u32 = 10;
/// What a call may say besides its arguments, which belong to the workflow: in `_meta`.
const META_KEY: &str = "windlass/idempotency_key";
const META_WAIT: &str = "windlass/wait_seconds";

/// A page of workflows as tools, and where the next one begins. A workflow whose definition this
/// version cannot use is left out.
pub(super) async fn list(
    call: &Call,
    from: Option<&str>,
) -> Result<(Vec<Described>, Option<String>), Problem> {
    let (rows, mut next) = rows(&call.app, &call.caller, from, COUNT_MAX).await?;
    let (definitions, project) =
        (call.app.engine.definitions().clone(), call.caller.project().to_owned());
    let read = move || {
        let (mut tools, mut bytes) = (Vec::new(), 0);
        for (index, row) in rows.iter().enumerate() {
            if bytes > SCHEMA_BYTES_MAX {
                next = Some(cursor(&rows[index - 1].name));
                break;
            }
            match definitions.newest(&project, &row.name) {
                Ok(Some(workflow)) => {
                    let source = workflow.plan.input.as_ref().map(|schema| schema.source());
                    bytes += source.map_or(0, json::size);
                    tools.push(describe(&workflow));
                }
                Err(DefinitionError::Store(error)) => return Err(error.into()),
                Ok(None) | Err(_) => {}
            }
        }
        Ok((tools, next))
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))?
}

fn describe(workflow: &Workflow) -> Described {
    let row = &workflow.row;
    let about = row.description.as_deref().unwrap_or("A workflow without a description.");
    let about: String = about.chars().take(DESCRIPTION_LENGTH_MAX).collect();
    let about = format!(
        "{about}\n\nStarts a run of the workflow `{}` and answers with its id and status, and with \
         its output if it ends within {WAIT_SECONDS} seconds. `get_run` follows it.",
        row.name
    );
    let input = workflow.plan.input.as_ref().map(|schema| schema.source());
    Described::new(name::of(row), about, schema::of(input)).with_title(row.name.clone())
}

/// The call of a workflow's tool; `None` if no workflow's tool can have this name.
pub(super) fn job(call: Call, tool: &str, arguments: JsonObject, meta: &JsonObject) -> Option<Job> {
    let word = name::workflow_of(tool)?;
    let target = format!("/api/v1/workflows/{}/execute", segment(&word));
    let (tool, options) = (tool.to_owned(), Options::of(meta));
    let work = async move {
        let Options { key, wait_seconds } = options?;
        let workflow = find(&call.app, call.caller.project(), &word).await?;
        // An id is found too, but is not what the tool is called by.
        if name::of(&workflow.row) != tool {
            return Err(Problem::no_workflow(&word));
        }
        let schema = workflow.plan.input.as_ref().map(|schema| schema.source());
        let input = schema::input_of(arguments, schema)?;
        let request = ExecuteRequest { input: Some(input), ..ExecuteRequest::default() };
        run(&call, &workflow.row, request, key, call.wait(wait_seconds)).await
    };
    Some(Job { need: Operate, action: RUN_CREATE, target, work: Box::pin(work) })
}

/// Starts a run, and shows it as it is when it ends or `wait` is over.
pub(super) async fn run(
    call: &Call,
    row: &WorkflowRow,
    request: ExecuteRequest,
    key: Option<String>,
    wait: Duration,
) -> Result<Value, Problem> {
    if let Some(key) = &key {
        crate::http::key::check("idempotency_key", key)?;
    }
    let wait = (!wait.is_zero()).then_some(wait);
    let workflow = row.workflow_id.to_string();
    let run = start(&call.app, &call.caller, &workflow, request, key, wait).await?;
    Ok(show::run(run))
}

/// What is said in `_meta`.
struct Options {
    key: Option<String>,
    wait_seconds: u32,
}

impl Options {
    fn of(meta: &JsonObject) -> Result<Options, Problem> {
        let key = match meta.get(META_KEY) {
            None => None,
            Some(Value::String(key)) => Some(key.clone()),
            Some(_) => return Err(Problem::parameter(META_KEY, "a text is expected")),
        };
        let wait_seconds = match meta.get(META_WAIT) {
            None => WAIT_SECONDS,
            Some(seconds) => seconds
                .as_u64()
                .and_then(|seconds| u32::try_from(seconds).ok())
                .ok_or_else(|| Problem::parameter(META_WAIT, "a whole number is expected"))?,
        };
        Ok(Options { key, wait_seconds })
    }
}
