//! `llm`: a question to a language model.

pub(crate) mod answer;
mod question;
mod run;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::expr::Type;
use windlass_core::kinds::{Complaint, NodeConfig};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use crate::context::NodeContext;
use crate::llm::{Message, Tool};
use crate::node::Node;

const RE_ASK_COUNT_MAX: u32 = 10;
const FALLBACK_COUNT_MAX: usize = 10;

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
    /// The model, such as `gpt-5-mini` or `anthropic/claude-sonnet-4-5`. Left out, a prompt file
    /// says which.
    #[serde(default)]
    model: Option<String>,
    /// What to ask. What is no text is given as JSON. One of `prompt`, `messages` and
    /// `prompt_file`.
    #[serde(default)]
    prompt: Value,
    /// A whole conversation, as a list of `{role, content}`.
    #[serde(default)]
    messages: Option<Vec<Message>>,
    /// A prompt file, by its path below the server's directory of prompts.
    #[serde(default)]
    prompt_file: Option<String>,
    /// The inputs of the prompt file.
    #[serde(default)]
    inputs: Map<String, Value>,
    /// What holds for the whole conversation.
    #[serde(default)]
    system: Option<String>,
    /// How much chance decides: 0 for as little as possible, at most 2.
    #[serde(default)]
    temperature: Option<f64>,
    /// How many tokens the answer may have.
    #[serde(default)]
    max_tokens: Option<u32>,
    /// What the model may ask to have done. What it asks for is in the output's `tool_calls`;
    /// nothing is done.
    #[serde(default)]
    tools: Vec<Tool>,
    /// JSON Schema that the answer must fit.
    #[serde(default)]
    output_schema: Option<Value>,
    /// Whether the provider itself is asked to hold the answer to `output_schema`. If not, the
    /// model is told the schema in words. For servers that know nothing of schemas.
    #[serde(default = "yes")]
    structured_output: bool,
    /// How often the model is asked again when its answer does not fit, up to 10.
    #[serde(default = "two")]
    re_asks: u32,
    /// Further models, asked one after the other when those before have failed.
    #[serde(default)]
    fallback: Vec<String>,
    /// Who provides the model, by its name in the server's settings.
    #[serde(default)]
    provider: Option<String>,
    /// An address to ask instead of the provider's. It gets no key but `api_key`, and obeys the
    /// rules of the kind `http`.
    #[serde(default)]
    base_url: Option<String>,
    /// A key instead of the provider's, such as `{{ secrets.openai }}`.
    #[serde(default)]
    api_key: Option<String>,
    /// How long one exchange may take.
    #[serde(default = "five_minutes")]
    timeout: HumanDuration,
}

fn yes() -> bool {
    true
}

fn two() -> u32 {
    2
}

fn five_minutes() -> HumanDuration {
    HumanDuration::from_secs(300)
}

impl NodeConfig for Llm {
    const KIND: &'static str = "llm";
    const SUMMARY: &'static str = "Asks a language model";
    const EXAMPLE: &'static str = include_str!("../examples/llm.yaml");

    fn check(&self) -> Result<(), Complaint> {
        let asked = [!self.prompt.is_null(), self.messages.is_some(), self.prompt_file.is_some()];
        if asked.into_iter().filter(|is_there| *is_there).count() != 1 {
            let message = "one of `prompt`, `messages` and `prompt_file` is needed";
            return Err(Complaint::at("", message));
        }
        if self.model.as_deref().unwrap_or_default().is_empty() && self.prompt_file.is_none() {
            return Err(Complaint::at("", "the field `model` is missing"));
        }
        if !self.inputs.is_empty() && self.prompt_file.is_none() {
            return Err(Complaint::at("/inputs", "only a `prompt_file` has inputs")
                .hint("write them into `prompt` as templates"));
        }
        if self.temperature.is_some_and(|value| !(0.0..=2.0).contains(&value)) {
            return Err(Complaint::at("/temperature", "from 0 to 2"));
        }
        if self.re_asks > RE_ASK_COUNT_MAX {
            return Err(Complaint::at("/re_asks", format!("at most {RE_ASK_COUNT_MAX}")));
        }
        if self.fallback.len() > FALLBACK_COUNT_MAX {
            return Err(Complaint::at("/fallback", format!("at most {FALLBACK_COUNT_MAX} models")));
        }
        if let Some(schema) = self.output_schema.as_ref().filter(|schema| is_written(schema)) {
            Schema::compile(schema).map_err(|error| Complaint::at("/output_schema", error))?;
        }
        let url = self.base_url.as_deref().filter(|url| !url.contains("{{"));
        if let Some(url) =
            url.filter(|url| !url.starts_with("http://") && !url.starts_with("https://"))
        {
            let message = format!("`{url}` is not an `http` or `https` URL");
            return Err(Complaint::at("/base_url", message));
        }
        Ok(())
    }

    fn output(config: &Value) -> Type {
        answer::output_type(config.get("output_schema").filter(|schema| is_written(schema)))
    }
}

/// Whether a value stands there as it is meant, and not as a template.
fn is_written(value: &Value) -> bool {
    !value.to_string().contains("{{")
}

#[async_trait]
impl Node for Llm {
    async fn run(self, context: NodeContext) -> Result<Value, AttemptError> {
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
