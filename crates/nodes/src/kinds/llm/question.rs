//! What a node asks, from its config and its prompt file.

use std::time::Duration;

use serde_json::Value;
use windlass_core::run::AttemptError;
use windlass_core::schema::Schema;

use super::Llm;
use crate::context::NodeContext;
use crate::llm::{At, Chat, Message, Role};
use crate::node::fail;
use crate::prompt::{PromptError, Rendered};

/// What is asked, of whom, and what has to come of it.
pub(super) struct Question {
    pub(super) chat: Chat,
    /// The models to ask, until one has answered.
    pub(super) models: Vec<(String, At)>,
    pub(super) schema: Option<Schema>,
    pub(super) re_asks: u32,
    pub(super) limit: Duration,
}

impl Question {
    pub(super) async fn new(llm: Llm, context: &NodeContext) -> Result<Question, AttemptError> {
        let file = match &llm.prompt_file {
            Some(path) => Some(render(path.clone(), &llm, context).await?),
            None => None,
        };
        let messages = match (&file, llm.messages) {
            (Some(file), _) => vec![Message::new(Role::User, file.text.clone())],
            (None, Some(messages)) => messages,
            (None, None) => vec![Message { content: llm.prompt, ..Message::new(Role::User, "") }],
        };
        if messages.iter().all(|message| message.text().trim().is_empty()) {
            return Err(fail("bad_config", "there is nothing to ask: the prompt is empty"));
        }
        let at = At { provider: llm.provider, base_url: llm.base_url, api_key: llm.api_key };
        let output_schema =
            llm.output_schema.or_else(|| file.as_ref().and_then(|it| it.output_schema.clone()));
        let schema = output_schema.as_ref().map(Schema::compile).transpose();
        let schema =
            schema.map_err(|error| fail("bad_config", format!("`output_schema`: {error}")))?;
        // A model that the node names beats that of the file.
        let model =
            llm.model.filter(|model| !model.is_empty()).or_else(|| file.map(|file| file.client));
        let model = model.ok_or_else(|| fail("bad_config", "there is no `model` to ask"))?;
        let mut models = vec![(model, at.clone())];
        models.extend(llm.fallback.into_iter().map(|model| {
            // Another provider's model is not at the address of this one.
            let at = if model.contains('/') { At::default() } else { at.clone() };
            (model, at)
        }));
        let mut chat = Chat {
            system: llm.system,
            messages,
            tools: llm.tools,
            temperature: llm.temperature,
            max_tokens: llm.max_tokens,
            schema: None,
        };
        match output_schema {
            Some(schema) if llm.structured_output => chat.schema = Some(schema),
            Some(schema) => tell_schema(&mut chat, &schema),
            None => {}
        }
        Ok(Question { chat, models, schema, re_asks: llm.re_asks, limit: llm.timeout.0 })
    }
}

/// Tells the model the schema in words.
fn tell_schema(chat: &mut Chat, schema: &Value) {
    let told = format!("Answer with nothing but JSON that fits this JSON Schema:\n{schema:#}");
    chat.system = Some(match chat.system.take() {
        Some(system) => format!("{system}\n\n{told}"),
        None => told,
    });
}

/// Reads and renders a prompt file, away from the threads that must not wait for a disk.
async fn render(path: String, llm: &Llm, context: &NodeContext) -> Result<Rendered, AttemptError> {
    let (prompts, inputs) = (context.prompts.clone(), llm.inputs.clone());
    let rendered = tokio::task::spawn_blocking(move || {
        let prompt = prompts.load(&path)?;
        prompts.render(&prompt, &inputs)
    });
    let rendered = rendered.await.map_err(|error| fail("panic", error.to_string()))?;
    rendered.map_err(|error: PromptError| fail(error.code(), error.to_string()))
}
