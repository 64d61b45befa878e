//! `llm`: a question to a language model.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod fields;
pub(crate) mod question;
mod run;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::expr::Type;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;

use crate::context::NodeContext;
use crate::llm::{Message, Tool};
use crate::node::{AskingNode, Outcome};
use fields::{asking_config, is_written};

const RE_ASK_COUNT_MAX: u32 = 10;

asking_config! {
/// Asks a language model. The output has the fields of the answer if it is a JSON object, and
/// always `text`, `json` (null if the answer is no JSON), `model`, `usage`, `finish` and
/// `tool_calls`. An answer that has one of the last four itself keeps it; `text` and `json` are
/// never the answer's own.
///
/// A model is named as `provider/model` or by its name alone. The tokens are shown on the run's
/// page as they come. With `output_schema` the answer must be JSON that fits; if it does not, the
/// model is told what is wrong and asked again, `re_asks` times at most.
///
/// 429 and 5xx are worth another attempt if the node has `retry`. A `Retry-After` of up to 30
/// seconds is waited for within the attempt. When a model has failed for good, the next one of
/// `fallback` is asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// A whole conversation, as a list of `{role, content}`, instead of `prompt`.
    #[serde(default)]
    messages: Option<Vec<Message>>,
    /// What the model may ask to have done. What it asks for is in the output's `tool_calls`;
    /// nothing is done.
    #[serde(default)]
    tools: Vec<Tool>,
    /// Whether the provider itself is asked to hold the answer to `output_schema`. If not, the
    /// model is told the schema in words. For servers that know nothing of schemas.
    #[serde(default = "yes")]
    structured_output: bool,
    /// How often the model is asked again when its answer does not fit, up to 10.
    #[serde(default = "two")]
    re_asks: u32,
}
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

impl NodeConfig for Llm {
    const KIND: &'static str = "llm";
    const SUMMARY: &'static str = "Asks a language model";
    const EXAMPLE: &'static str = include_str!("../examples/llm.yaml");

    fn check(&self) -> Result<(), Complaint> {
        self.asking().check(&[("messages", self.messages.is_some())])?;
        if self.messages.as_ref().is_some_and(Vec::is_empty) {
            return Err(Complaint::at("/messages", "at least one message is needed"));
        }
        if self.re_asks > RE_ASK_COUNT_MAX {
            return Err(Complaint::at("/re_asks", format!("at most {RE_ASK_COUNT_MAX}")));
        }
        Ok(())
    }

    fn output(config: &Value) -> Type {
        answer::output_type(config.get("output_schema").filter(|schema| is_written(schema)))
    }
}

#[async_trait]
impl AskingNode for Llm {
    async fn run(self, context: NodeContext) -> Result<Outcome, AttemptError> {
        let mut stop = context.stop.clone();
        tokio::select! {
            result = run::run(self, &context) => result,
            reason = stop.asked() => Err(super::http::stopped(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_is_looked_at_before_a_run() {
        let ok = json!({ "model": "m", "prompt": "p" });
        let table = [
            (json!({}), None),
            (
                json!({ "prompt": null, "messages": [{ "role": "user", "content": { "a": 1 } }] }),
                None,
            ),
            (
                json!({ "prompt": null, "model": null, "prompt_file": "a.prompt.md", "inputs": { "a": 1 } }),
                None,
            ),
            (
                json!({ "base_url": "{{ input.url }}", "output_schema": { "type": "{{ input.type }}" } }),
                None,
            ),
            (json!({ "prompt": null }), Some("")),
            (json!({ "messages": [] }), Some("")),
            (json!({ "model": null }), Some("")),
            (json!({ "inputs": { "a": 1 } }), Some("/inputs")),
            (json!({ "temperature": 3 }), Some("/temperature")),
            (json!({ "re_asks": 11 }), Some("/re_asks")),
            (json!({ "fallback": vec!["m"; 11] }), Some("/fallback")),
            (json!({ "output_schema": { "type": "strnig" } }), Some("/output_schema")),
            (json!({ "base_url": "file:///etc/passwd" }), Some("/base_url")),
        ];
        for (change, wanted) in table {
            let mut config = ok.clone();
            for (name, value) in change.as_object().unwrap() {
                config[name.as_str()] = value.clone();
            }
            let llm: Llm = serde_json::from_value(config).unwrap();
            assert_eq!(
                llm.check().err().map(|complaint| complaint.path).as_deref(),
                wanted,
                "{change}"
            );
        }
        assert!(serde_json::from_value::<Llm>(json!({ "model": "m", "promt": "p" })).is_err());
    }
}
