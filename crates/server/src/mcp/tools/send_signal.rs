use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::api::runs::signal::{SignalRequest, send};
use crate::client::segment;
use crate::http::key;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Sends a signal to a run. The step that has waited longest for a signal of this name takes it; if
/// none does, it is kept for one that will.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendSignal {
    /// The run's id or external id.
    run: String,
    /// The signal's name.
    name: String,
    /// What comes with it. Null if left out.
    #[serde(default)]
    payload: Value,
    /// 1 to 256 bytes. A second signal with the same key changes nothing.
    #[serde(default)]
    idempotency_key: Option<String>,
}

impl Tool for SendSignal {
    const NAME: &'static str = "send_signal";
    const NEED: Permission = Permission::Operate;
    const ACTION: &'static str = "run.signal";

    fn target(&self) -> String {
        format!("/api/v1/runs/{}/signals/{}", segment(&self.run), segment(&self.name))
    }

    async fn call(self, call: Call) -> Result<Value, Problem> {
        if let Some(id) = &self.idempotency_key {
            key::check("idempotency_key", id)?;
        }
        let (request, id) = (SignalRequest { payload: self.payload }, self.idempotency_key);
        let run = send(&call.app, &call.caller, &self.run, self.name, request, id).await?;
        Ok(show::run(run))
    }
}
