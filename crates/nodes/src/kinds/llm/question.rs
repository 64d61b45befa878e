//! What a node asks, from its config and its prompt file.

use std::time::Duration;

use serde_json::{Map, Value};
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use super::fields::Asking;
use crate::context::NodeContext;
use crate::llm::{At, Chat, Message, Role};
use crate::node::fail;
use crate::prompt::{Prompt, PromptError, Rendered};

/// What is asked, of whom, and what has to come of it.
pub(crate) struct Question {
    /// What is asked. Neither tools nor a schema are in it yet.
    pub(crate) chat: Chat,
    /// The models to ask, until one has answered.
    pub(crate) models: Vec<(String, At)>,
    /// What the answer has to fit.
    pub(crate) output_schema: Option<Value>,
    /// The same, to try an answer with.
    pub(crate) schema: Option<Schema>,
    /// How long one exchange may take.
    pub(crate) limit: Duration,
    /// The prompt file, if there is one.
    pub(crate) file: Option<Prompt>,
}

impl Question {
    pub(crate) async fn new(
        asking: Asking,
        messages: Option<Vec<Message>>,
        context: &NodeContext,
    ) -> Result<Question, AttemptError> {
        let (file, rendered) = match asking.prompt_file {
            Some(path) => {
                let (file, rendered) = render(path, asking.inputs, context).await?;
                (Some(file), Some(rendered))
            }
            None => (None, None),
        };
        let messages = match (rendered, messages) {
            (Some(rendered), _) => vec![Message::new(Role::User, rendered.text)],
            (None, Some(messages)) => messages,
            (None, None) => {
                vec![Message { content: asking.prompt, ..Message::new(Role::User, "") }]
            }
        };
        if messages.iter().all(|message| message.text().trim().is_empty()) {
            return Err(fail("bad_config", "there is nothing to ask: the prompt is empty"));
        }
        let of_file = || file.as_ref().and_then(|file| file.output.clone());
        let output_schema = asking.output_schema.or_else(of_file);
        let schema = output_schema.as_ref().map(Schema::compile).transpose();
        let schema =
            schema.map_err(|error| fail("bad_config", format!("`output_schema`: {error}")))?;
        // A model that the node names beats that of the file.
        let named = asking.model.filter(|model| !model.is_empty());
        let model = named.or_else(|| file.as_ref().map(|file| file.client.clone()));
        let model = model.ok_or_else(|| fail("bad_config", "there is no `model` to ask"))?;
        let at =
            At { provider: asking.provider, base_url: asking.base_url, api_key: asking.api_key };
        let mut models = vec![(model, at.clone())];
        models.extend(asking.fallback.into_iter().map(|model| {
            // Another provider's model is not at the address of this one.
            let at = if model.contains('/') { At::default() } else { at.clone() };
            (model, at)
        }));
        let chat = Chat {
            system: asking.system,
            messages,
            tools: Vec::new(),
            temperature: asking.temperature,
            max_tokens: asking.max_tokens,
            schema: None,
        };
        Ok(Question { chat, models, output_schema, schema, limit: asking.limit, file })
    }
}

/// Reads and renders a prompt file, away from the threads that must not wait for a disk.
async fn render(
    path: String,
    inputs: Map<String, Value>,
    context: &NodeContext,
) -> Result<(Prompt, Rendered), AttemptError> {
    let prompts = context.prompts.clone();
    let rendered = tokio::task::spawn_blocking(move || {
        let prompt = prompts.load(&path)?;
        let rendered = prompts.render(&prompt, &inputs)?;
        Ok((prompt, rendered))
    });
    let rendered = rendered.await.map_err(|error| fail("panic", error.to_string()))?;
    rendered.map_err(|error: PromptError| fail(error.code(), error.to_string()))
}
