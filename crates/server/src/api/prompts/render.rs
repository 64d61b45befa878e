use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Given, blocking};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// A prompt file and what it is filled in with. One of `source` and `prompt_path` is needed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenderRequest {
    /// Its text, up to 256 KiB.
    pub source: Option<String>,
    /// Its path below the server's directory of prompts.
    pub prompt_path: Option<String>,
    /// Its inputs, by name.
    #[schema(value_type = std::collections::HashMap<String, Value>)]
    pub inputs: Map<String, Value>,
}

/// A prompt that is ready to be sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct RenderBody {
    /// What is asked.
    pub rendered: String,
    /// Whom, as `provider/model`.
    pub client: String,
    /// JSON Schema of the answer; null if it is a text.
    pub output_schema: Option<Value>,
}

/// Fills in a prompt file. Nobody is asked anything.
#[utoipa::path(
    post, path = "/api/prompts/render", tag = "prompts",
    request_body(content = RenderRequest),
    responses(
        (status = 200, body = RenderBody),
        (status = 422,
         description = "`bad-prompt`, `bad-inputs`, `prompt-render` or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn render_prompt(
    State(app): Shared,
    Body(RenderRequest { source, prompt_path, inputs }): Body<RenderRequest>,
) -> Result<Json<RenderBody>, Problem> {
    let given = Given::new(source, prompt_path)?;
    let render = move |prompts: &windlass_nodes::PromptSettings| {
        let prompt = given.read(prompts)?;
        prompts.render(&prompt, &inputs)
    };
    let rendered = blocking(&app, render).await?;
    Ok(Json(RenderBody {
        rendered: rendered.text,
        client: rendered.client,
        output_schema: rendered.output_schema,
    }))
}
