use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Permission;
use crate::api::run::{find, read, wait_until_over};
use crate::api::runs::steps::list;
use crate::api::step::StepBody;
use crate::http::paging::LIMIT;
use crate::http::problem::Problem;
use crate::mcp::show;
use crate::mcp::tool::{Call, Tool};

/// Shows a run: status, input, output, error, and its steps in short, 50 at a time. With
/// `wait_seconds` it answers when the run is over, or when that time is.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetRun {
    /// The run's id or external id.
    run: String,
    /// How long to wait for the run's end. A run that waits for people does not end meanwhile.
    #[serde(default)]
    wait_seconds: u32,
    /// The `next_steps` of the page before.
    #[serde(default)]
    steps_from: Option<String>,
}

impl Tool for GetRun {
    const NAME: &'static str = "get_run";
    const NEED: Permission = Permission::Read;

    async fn call(self, call: Call) -> Result<Value, Problem> {
        let (app, project) = (&call.app, call.caller.project());
        let wait = call.wait(self.wait_seconds);
        let mut run = match wait.is_zero() {
            true => read(app, project, &self.run).await?,
            false => {
                let run_id = find(app, project, &self.run).await?.run_id;
                wait_until_over(app, project, run_id, wait).await?
            }
        };
        let from = self.steps_from.as_deref();
        let steps = list(app, &call.caller, &run.id.to_string(), from, LIMIT).await?;
        let input = show::fit(run.input.take());
        let mut shown = show::run(run);
        shown["input"] = input;
        shown["steps"] = steps.items.into_iter().map(in_short).collect();
        shown["next_steps"] = steps.next_cursor.into();
        Ok(shown)
    }
}

/// A step without what it was given and what it put out.
fn in_short(step: StepBody) -> Value {
    let mut shown = json!({ "path": step.path, "kind": step.kind, "status": step.status });
    if let Some(reason) = step.reason {
        shown["reason"] = reason.into();
    }
    if step.attempt > 1 {
        shown["attempt"] = step.attempt.into();
    }
    if let Some(error) = step.error {
        shown["error"] = show::fit(show::json(error));
    }
    shown
}
