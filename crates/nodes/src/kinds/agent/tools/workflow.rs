//! Workflows as tools. A use is a run of its own, with a key that follows from the step, the turn and
//! the call: a use after a crash finds the run of the one before.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use windlass_core::run::AttemptError;

use super::super::fields::WorkflowField;
use super::{Belongings, DESCRIPTION_BYTES_MAX, Does, Usable, cut, name_for_model};
use crate::context::NodeContext;
use crate::llm::Tool;
use crate::node::{fail, retry};
use crate::workflows::WantedRun;

/// The argument that holds an input that is no object.
const INPUT: &str = "input";
/// Where a schema keeps what it refers to, from its root on.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];

/// A run that is being begun, or has been.
pub(super) type Begun = Shared<BoxFuture<'static, Result<Uuid, AttemptError>>>;

pub(super) struct WorkflowTool {
    workflow: String,
    version: Option<u32>,
    /// Whether its arguments are the input, and not in `input`.
    takes_object: bool,
}

pub(super) async fn usable(
    field: WorkflowField,
    context: &NodeContext,
) -> Result<Usable, AttemptError> {
    let known = context.workflows.describe(&field.workflow, field.version).await?;
    let about = field.description.or(known.description);
    let about = about.unwrap_or_else(|| format!("Runs the workflow `{}`.", known.name));
    let takes_object = known.input.as_ref().is_some_and(|schema| schema["type"] == "object");
    let described = Tool {
        name: name_for_model(&known.name),
        description: Some(cut(&about, DESCRIPTION_BYTES_MAX)),
        parameters: Some(match known.input {
            Some(schema) if takes_object => schema,
            schema => wrapped(schema.unwrap_or(json!({}))),
        }),
    };
    let tool = WorkflowTool { workflow: field.workflow, version: field.version, takes_object };
    Ok(Usable { described, approve: field.approve, does: Does::Workflow(tool) })
}

/// A schema of an object with the one field `input`.
fn wrapped(mut inner: Value) -> Value {
    let mut schema = json!({ "type": "object", "additionalProperties": false });
    // References begin at the root, so what they lead to moves there.
    for name in DEFINITIONS {
        let found = inner.as_object_mut().and_then(|inner| inner.shift_remove(name));
        if let Some(found) = found {
            schema[name] = found;
        }
    }
    schema["properties"] = json!({ INPUT: inner });
    schema
}

impl WorkflowTool {
    pub(super) async fn run(
        &self,
        mut arguments: Map<String, Value>,
        key: &str,
        belongings: &Belongings,
        context: &NodeContext,
    ) -> Result<String, AttemptError> {
        let input = if self.takes_object {
            Value::Object(arguments)
        } else {
            arguments.shift_remove(INPUT).unwrap_or_default()
        };
        let wanted = WantedRun {
            workflow: self.workflow.clone(),
            version: self.version,
            input,
            key: key.to_owned(),
        };
        let record = format!("run-{key}");
        let known = context.journal.find(&record).and_then(|known| known.as_str()?.parse().ok());
        let workflows = context.workflows.clone();
        // A task of its own: whoever is stopped in the middle of it has to cancel what it begins.
        let begin = async move {
            match known {
                Some(run_id) => Ok(run_id),
                None => tokio::spawn(async move { workflows.start(wanted).await })
                    .await
                    .unwrap_or_else(|error| Err(retry("start", error.to_string()))),
            }
        };
        let begun: Begun = begin.boxed().shared();
        belongings.waits_for(Some(begun.clone()));
        let waited = async {
            let run_id: Uuid = begun.await?;
            if known.is_none() {
                // The key is forgotten one day; the record is not.
                context.journal.record(record, Value::from(run_id.to_string())).await?;
            }
            context.workflows.wait(run_id).await
        };
        let result = waited.await;
        belongings.waits_for(None);
        let output = result?;
        serde_json::to_string(&output).map_err(|error| fail("bad_output", error.to_string()))
    }
}
