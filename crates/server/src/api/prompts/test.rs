use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use windlass_core::Failure;
use windlass_nodes::llm::Usage;
use windlass_nodes::prompt::{Prompt, PromptType, Rendered};

use super::{Given, blocking};
use crate::access::Caller;
use crate::api::nodes::attempt::{TestAttempt, TestLine, Tried};
use crate::app::{App, Shared};
use crate::http::problem::{self, Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// Where this is: a model may take longer than other requests.
pub const PATH: &str = "/api/prompts/test";

/// A prompt file, what it is filled in with, and who is asked. One of `source` and `prompt_path` is
/// needed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PromptTestRequest {
    /// Its text, up to 256 KiB.
    pub source: Option<String>,
    /// Its path below the server's directory of prompts.
    pub prompt_path: Option<String>,
    /// Its inputs, by name.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub inputs: Map<String, Value>,
    /// Who is asked instead of the file's `client`.
    pub model: Option<String>,
}

/// What a model has answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptTestBody {
    /// `succeeded`, or `failed` if there is no answer, or none that fits.
    pub status: &'static str,
    /// What was asked.
    pub rendered: String,
    /// Who was asked, as `provider/model` or by an alias of the settings.
    pub model: String,
    /// What the model said; null if it said nothing.
    pub reply: Option<String>,
    /// The reply as JSON, or `{"text": …}` if it is none; null without a reply.
    pub output: Option<Value>,
    /// Whether the output is what the file asks for; null if it asks for nothing, or without a reply.
    pub fits: Option<bool>,
    /// Why it has failed.
    #[schema(value_type = Option<crate::api::run::FailureBody>)]
    pub error: Option<Failure>,
    /// What each exchange took.
    #[schema(value_type = Vec<ExchangeUsage>)]
    pub usage: Vec<Usage>,
    /// What was noted on the way, up to 1,000 lines.
    pub logs: Vec<TestLine>,
    /// How long it took.
    pub duration_ms: f64,
}

/// What one exchange with a model took.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExchangeUsage {
    /// The model, as the provider calls it.
    pub model: String,
    /// The provider, as the settings call it.
    pub provider: String,
    /// Tokens that were sent, the cached ones included.
    pub input_tokens: u64,
    /// Tokens that were answered, thoughts included.
    pub output_tokens: u64,
    /// Of the tokens that were sent, those the provider had in its cache.
    pub cached_tokens: u64,
    /// How long it took.
    pub latency_ms: u64,
    /// The price in millionths of a US dollar; null if the settings have none.
    pub cost_micros: Option<u64>,
}

/// Fills in a prompt file and asks the model, once: an answer that does not fit is shown as it came.
///
/// It is one attempt of the kind `llm`, or `agent` for a prompt of that type, outside of any run. It
/// costs what the model costs.
#[utoipa::path(
    post, path = "/api/prompts/test", tag = "prompts",
    request_body(content = PromptTestRequest),
    responses(
        (status = 200, description = "What has come of it", body = PromptTestBody),
        (status = 422,
         description = "`bad-prompt`, `bad-inputs`, `prompt-render` or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`model-key-missing`, or as everywhere",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn test_prompt(
    State(app): Shared,
    caller: Caller,
    Body(PromptTestRequest { source, prompt_path, inputs, model }): Body<PromptTestRequest>,
) -> Result<Json<PromptTestBody>, Problem> {
    let began = Instant::now();
    let given = Given::new(source, prompt_path)?;
    let render = move |prompts: &windlass_nodes::PromptSettings| {
        let prompt = given.read(prompts)?;
        let rendered = prompts.render(&prompt, &inputs)?;
        Ok((prompt, rendered))
    };
    let (prompt, rendered) = blocking(&app, render).await?;
    let model = model.filter(|model| !model.is_empty()).unwrap_or_else(|| prompt.client.clone());
    let (kind, config) = node(&prompt, &rendered, &model);
    check(&app, kind, &config)?;
    let attempt = TestAttempt {
        kind,
        config,
        // A prompt has no secrets: what looks like one is text.
        secrets: Vec::new(),
        project: caller.project(),
        time_max: app.config.server.wait_time_max.0,
    };
    let Tried { result, logs, usage } = attempt.make(&app).await;
    if let Err(error) = &result
        && error.code == "llm_key_missing"
    {
        return Err(Problem::new(problem::MODEL_KEY_MISSING, error.message.clone()));
    }
    let reply = match &result {
        Ok(output) => output["text"].as_str(),
        Err(error) => error.details.as_ref().and_then(|details| details["text"].as_str()),
    };
    let reply = reply.map(str::to_owned);
    let fits = rendered.output_schema.is_some().then_some(result.is_ok());
    let output = match &result {
        Ok(output) if !output["json"].is_null() => Some(output["json"].clone()),
        _ => reply.as_deref().map(read),
    };
    Ok(Json(PromptTestBody {
        status: if result.is_ok() { "succeeded" } else { "failed" },
        rendered: rendered.text,
        model,
        fits: fits.filter(|_| reply.is_some()),
        reply,
        output,
        error: result.err(),
        usage,
        logs,
        duration_ms: began.elapsed().as_secs_f64() * 1e3,
    }))
}

/// A reply that the node has not read.
fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({ "text": text }))
}

/// The kind of node that a prompt is for, and its config.
fn node(prompt: &Prompt, rendered: &Rendered, model: &str) -> (&'static str, Value) {
    let mut config = json!({ "model": model, "prompt": rendered.text });
    if let Some(schema) = &rendered.output_schema {
        config["output_schema"] = schema.clone();
    }
    match prompt.prompt_type {
        PromptType::Llm => {
            config["re_asks"] = json!(0);
            ("llm", config)
        }
        PromptType::Agent => {
            config["tools"] = json!(prompt.tools);
            config["max_turns"] = json!(prompt.max_turns);
            ("agent", config)
        }
    }
}

/// Whether the node could be part of a definition.
fn check(app: &Arc<App>, kind: &str, config: &Value) -> Result<(), Problem> {
    let Some(kind) = app.registry.kinds().get(kind) else { return Ok(()) };
    kind.check(config).map_err(|complaint| {
        let message = match complaint.path.as_str() {
            "" => complaint.message,
            path => format!("{path}: {}", complaint.message),
        };
        Problem::new(problem::INVALID_REQUEST, format!("the prompt makes no node: {message}"))
    })
}
