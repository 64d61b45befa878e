use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Permission;
use crate::api::workflow::find_row;
use crate::api::workflows::deploy::detail;
use crate::http::problem::Problem;
use crate::mcp::tool::{Call, Tool};
use crate::mcp::{name, show};

/// Describes a workflow: what it is for, the schema of its input, its definition.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeWorkflow {
    /// The workflow's name or id.
    workflow: String,
}

impl Tool for DescribeWorkflow {
    const NAME: &'static str = "describe_workflow";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let row = find_row(&call.app, call.caller.project(), &self.workflow).await?;
        let detail = detail(&call.app, &row, Vec::new()).await?;
        Ok(json!({
            "name": row.name,
            "description": row.description,
            "version": row.version,
            "paused": detail.workflow.paused,
            "tool": name::of(&row),
            "input_schema": show::fit(detail.definition["input"].clone()),
            "definition": show::fit(detail.source.into()),
        }))
    }
}
