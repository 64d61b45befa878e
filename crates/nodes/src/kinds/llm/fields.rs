//! What every kind says that asks a language model.

use std::time::Duration;

use serde_json::{Map, Value};
use windlass_core::HumanDuration;
use windlass_core::kinds::Complaint;
use windlass_core::schema::Schema;

const FALLBACK_COUNT_MAX: usize = 10;

/// The fields of a kind's config that say whom to ask what, as the kinds that ask share them.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    pub(crate) model: Option<String>,
    pub(crate) prompt: Value,
    pub(crate) prompt_file: Option<String>,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) system: Option<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) output_schema: Option<Value>,
    pub(crate) fallback: Vec<String>,
    pub(crate) provider: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<String>,
    pub(crate) limit: Duration,
}

/// Makes the config of a kind that asks, with the fields of [`Asking`] in front of its own. They are
/// written out for each kind, since a type that takes in another one's fields cannot refuse fields
/// that nobody knows.
macro_rules! asking_config {
    ($(#[$about:meta])* pub struct $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        pub struct $name {
            /// The model, such as `gpt-5-mini` or `anthropic/claude-sonnet-4-5`. Left out, a prompt
            /// file says which.
            #[serde(default)]
            model: Option<String>,
            /// What to ask or to do. What is no text is given as JSON. Left out if something else
            /// says it, such as `prompt_file`.
            #[serde(default)]
            prompt: ::serde_json::Value,
            /// A prompt file, by its path below the server's directory of prompts. What the node
            /// says itself goes first.
            #[serde(default)]
            prompt_file: Option<String>,
            /// The inputs of the prompt file.
            #[serde(default)]
            inputs: ::serde_json::Map<String, ::serde_json::Value>,
            /// What holds for the whole conversation.
            #[serde(default)]
            system: Option<String>,
            /// How much chance decides: 0 for as little as possible, at most 2.
            #[serde(default)]
            temperature: Option<f64>,
            /// How many tokens an answer may have.
            #[serde(default)]
            max_tokens: Option<u32>,
            /// JSON Schema that the answer, or an agent's last one, must fit.
            #[serde(default)]
            output_schema: Option<::serde_json::Value>,
            /// Further models, asked one after the other when those before have failed.
            #[serde(default)]
            fallback: Vec<String>,
            /// Who provides the model, by its name in the server's settings.
            #[serde(default)]
            provider: Option<String>,
            /// An address to ask instead of the provider's. It gets no key but `api_key`, and obeys
            /// the rules of the kind `http`.
            #[serde(default)]
            base_url: Option<String>,
            /// A key instead of the provider's, such as `{{ secrets.openai }}`.
            #[serde(default)]
            api_key: Option<String>,
            /// How long one exchange with a model may take.
            #[serde(default = "crate::kinds::llm::fields::five_minutes")]
            timeout: ::windlass_core::HumanDuration,
            $($own)*
        }

        impl $name {
            /// Whom to ask what.
            fn asking(&self) -> $crate::kinds::llm::fields::Asking {
                $crate::kinds::llm::fields::Asking {
                    model: self.model.clone(),
                    prompt: self.prompt.clone(),
                    prompt_file: self.prompt_file.clone(),
                    inputs: self.inputs.clone(),
                    system: self.system.clone(),
                    temperature: self.temperature,
                    max_tokens: self.max_tokens,
                    output_schema: self.output_schema.clone(),
                    fallback: self.fallback.clone(),
                    provider: self.provider.clone(),
                    base_url: self.base_url.clone(),
                    api_key: self.api_key.clone(),
                    limit: self.timeout.0,
                }
            }
        }
    };
}

pub(crate) use asking_config;

pub(crate) fn five_minutes() -> HumanDuration {
    HumanDuration::from_secs(300)
}

impl Asking {
    /// What types cannot see. `others` are further ways to say what to ask, by name and whether they
    /// are used.
    pub(crate) fn check(&self, others: &[(&str, bool)]) -> Result<(), Complaint> {
        let own = [("prompt", !self.prompt.is_null()), ("prompt_file", self.prompt_file.is_some())];
        let ways: Vec<(&str, bool)> = own.into_iter().chain(others.iter().copied()).collect();
        if ways.iter().filter(|(_, is_used)| *is_used).count() != 1 {
            let names: Vec<String> = ways.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("exactly one is needed of {}", names.join(", "));
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
}

/// Whether a value stands there as it is meant, and not as a template.
pub(crate) fn is_written(value: &Value) -> bool {
    !value.to_string().contains("{{")
}
