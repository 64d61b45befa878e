use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::api::approval::asked;
use crate::api::run::find;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Shows what a step asks: its title, what is approved, the schema of the form, who may decide, who
/// has decided, and the hash that a decision is bound to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetApproval {
    /// The run's id or external id.
    run: String,
    /// The step's path.
    step: String,
}

impl Tool for GetApproval {
    const NAME: &'static str = "get_approval";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let run_id = find(&call.app, call.caller.project(), &self.run).await?.run_id;
        let mut shown = show::json(asked(&call.app, run_id, self.step).await?);
        shown["subject"] = show::fit(shown["subject"].take());
        Ok(shown)
    }
}
