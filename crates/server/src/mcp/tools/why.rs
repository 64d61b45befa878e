use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::api::runs::why::explain;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Says why a run, or each of its steps, does not move: what it waits for, who holds that, whose word
/// is needed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Why {
    /// The run's id or external id.
    run: String,
    /// Only the step of this path.
    #[serde(default)]
    step: Option<String>,
}

impl Tool for Why {
    const NAME: &'static str = "why";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        Ok(show::json(explain(&call.app, &call.caller, &self.run, self.step).await?))
    }
}
