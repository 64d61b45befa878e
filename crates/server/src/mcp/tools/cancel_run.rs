use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_engine::shard::Command;

use crate::access::Permission;
use crate::api::runs::cancel::order;
use crate::client::segment;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Cancels a run. Running steps are stopped; what has to be cleaned up or undone still is, so the run
/// may end a while later.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelRun {
    /// The run's id or external id.
    run: String,
    /// Why, for whoever looks at the run.
    #[serde(default)]
    reason: Option<String>,
    /// How long to wait for the run's end.
    #[serde(default)]
    wait_seconds: u32,
}

impl Tool for CancelRun {
    const NAME: &'static str = "cancel_run";
    const NEED: Permission = Permission::Operate;
    const ACTION: &'static str = "run.cancel";

    fn target(&self) -> String {
        format!("/api/v1/runs/{}/cancel", segment(&self.run))
    }

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let wait = call.wait(self.wait_seconds);
        let wait = (!wait.is_zero()).then_some(wait);
        let command = |by, reason| Command::Cancel { by, reason };
        let run = order(&call.app, &call.caller, &self.run, self.reason, wait, command).await?;
        Ok(show::run(run))
    }
}
