use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_client::{Fail, Task};
use windlass_core::source;

use super::attempt::{Attempt, fail_of};
use crate::api::nodes::test::{Decided, TestRequest, decide, plan_of};
use crate::app::App;
use crate::cli::Usage;
use crate::http::problem::Problem;

/// What is done for a role: a node of its own, filled in with what a step asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deed {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default = "empty")]
    config: Value,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

impl Deed {
    /// From a file.
    ///
    /// # Errors
    ///
    /// [`Usage`] if it says nothing that could be done.
    pub(super) fn read(app: &App, file: &Path) -> anyhow::Result<Deed> {
        let wrong = |why: String| Usage(format!("`{}`: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let document = source::read(&text).map_err(|finding| wrong(finding.message))?;
        let deed: Result<Deed, _> = serde_json::from_value(document.value);
        let deed = deed.map_err(|error| wrong(error.to_string()))?;
        plan_of(app, &deed.kind, &deed.filled_with(empty()))
            .map_err(|problem| wrong(problem.to_string()))?;
        if app.registry.executor(&deed.kind).is_none() {
            let why = format!("a `{}` acts on nothing outside; name one that does", deed.kind);
            return Err(wrong(why).into());
        }
        Ok(deed)
    }

    /// Does it for a step.
    pub(super) async fn make(&self, app: &App, task: Task) -> Result<Value, Fail> {
        let of_problem = |problem: Problem| Fail::fatal("bad_config", problem.to_string());
        let input = task.config.clone();
        let plan =
            plan_of(app, &self.kind, &self.filled_with(input.clone())).map_err(of_problem)?;
        let now = app.engine.clock().now();
        let Decided { config, secrets, result } = decide(&plan, input, now).map_err(of_problem)?;
        match (result, config) {
            (Some(result), _) => result.map_err(|failure| fail_of(failure, true)),
            (None, Some(config)) => {
                let attempt = Attempt { kind: self.kind.clone(), config, secrets };
                attempt.make(app, task).await
            }
            (None, None) => Err(Fail::fatal("bad_config", "there is nothing to be done")),
        }
    }

    fn filled_with(&self, input: Value) -> TestRequest {
        let config = Some(self.config.clone());
        TestRequest { config, input: Some(input), ..TestRequest::default() }
    }
}
