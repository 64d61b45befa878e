use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Permission;
use crate::api::workflows::list::rows;
use crate::http::paging::LIMIT;
use crate::http::problem::Problem;
use crate::mcp::name;
use crate::mcp::tool::{Call, Tool};

/// Lists the workflows by name, 50 at a time, each with the tool that runs it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListWorkflows {
    /// The `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
}

impl Tool for ListWorkflows {
    const NAME: &'static str = "list_workflows";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let (rows, next_cursor) =
            rows(&call.app, &call.caller, self.cursor.as_deref(), LIMIT).await?;
        let item = |row: &windlass_store::WorkflowRow| {
            json!({
                "name": row.name,
                "description": row.description,
                "version": row.version,
                "is_paused": row.pause.is_some(),
                "tool": name::of(row),
            })
        };
        let workflows: Vec<Value> = rows.iter().map(item).collect();
        Ok(json!({ "workflows": workflows, "next_cursor": next_cursor }))
    }
}
