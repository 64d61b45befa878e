use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::access::Permission;
use crate::api::approvals::decide::{DecideRequest, Decided, decide};
use crate::client::segment;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Approves or rejects what a step asks, in the name of whoever the key belongs to. Read it with
/// `get_approval` first.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DecideApproval {
    /// The run's id or external id.
    run: String,
    /// The step's path.
    step: String,
    /// `approve` or `reject`.
    decision: Decided,
    /// The `hash` that `get_approval` has shown. If something else is asked by now, the decision is
    /// refused.
    hash: String,
    /// What the form asks for.
    #[serde(default)]
    form: Option<Value>,
    /// What there is to say about it.
    #[serde(default)]
    comment: Option<String>,
}

impl Tool for DecideApproval {
    const NAME: &'static str = "decide_approval";
    const NEED: Permission = Permission::Approve;
    const ACTION: &'static str = "approval.decide";

    fn target(&self) -> String {
        format!("/api/v1/runs/{}/approvals/{}", segment(&self.run), segment(&self.step))
    }

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let request = DecideRequest {
            decision: self.decision,
            form: self.form,
            comment: self.comment,
            hash: Some(self.hash),
        };
        let run = decide(&call.app, &call.caller, &self.run, self.step, request).await?;
        Ok(show::run(run))
    }
}
