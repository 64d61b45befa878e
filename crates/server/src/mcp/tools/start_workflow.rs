use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::access::table::RUN_CREATE;
use crate::api::workflow::find_row;
use crate::api::workflows::execute::ExecuteRequest;
use crate::client::segment;
use crate::http::problem::Problem;
use crate::mcp::tool::{Call, Tool};
use crate::mcp::workflow::{WAIT_SECONDS, run};

/// Starts a run of any workflow and answers with its id and status, and with its output if it ends
/// while you wait. The same as the workflow's own tool, with more that can be said about the run.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartWorkflow {
    /// The workflow's name or id.
    workflow: String,
    /// The input; `describe_workflow` has its schema. `{}` if left out.
    #[serde(default)]
    input: Option<Value>,
    /// Searchable keys and values, besides those of the definition.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// What you call the run. Unique; the run is found by it.
    #[serde(default)]
    external_id: Option<String>,
    /// 1 to 256 bytes. The same key and request give the same run for 7 days, so a call whose answer
    /// was lost can be repeated.
    #[serde(default)]
    idempotency_key: Option<String>,
    /// How long to wait for the run's end.
    #[serde(default = "wait_seconds")]
    wait_seconds: u32,
}

fn wait_seconds() -> u32 {
    WAIT_SECONDS
}

impl Tool for StartWorkflow {
    const NAME: &'static str = "start_workflow";
    const NEED: Permission = Permission::Operate;
    const ACTION: &'static str = RUN_CREATE;

    fn target(&self) -> String {
        format!("/api/v1/workflows/{}/execute", segment(&self.workflow))
    }

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let row = find_row(&call.app, call.caller.project(), &self.workflow).await?;
        let (labels, external_id) = (self.labels, self.external_id);
        let request = ExecuteRequest { input: self.input, labels, external_id };
        run(&call, &row, request, self.idempotency_key, call.wait(self.wait_seconds)).await
    }
}
