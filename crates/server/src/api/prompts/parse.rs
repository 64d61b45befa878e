use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Given, PromptBody, blocking};
use crate::app::Shared;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::{Body, ProblemResponses};

/// A prompt file. One of `source` and `prompt_path` is needed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParseRequest {
    /// Its text, up to 256 KiB.
    pub source: Option<String>,
    /// Its path below the server's directory of prompts.
    pub prompt_path: Option<String>,
}

/// Reads a prompt file: its head, and the JSON Schemas of its inputs and its answer.
///
/// What it takes over from files that it `extends` is part of that.
#[utoipa::path(
    post, path = "/api/prompts/parse", tag = "prompts",
    request_body(content = ParseRequest),
    responses(
        (status = 200, body = PromptBody),
        (status = 422, description = "`bad-prompt` with line and column, or `invalid-request`",
         body = ProblemBody, content_type = "application/problem+json"),
        ProblemResponses
    )
)]
pub async fn parse_prompt(
    State(app): Shared,
    Body(ParseRequest { source, prompt_path }): Body<ParseRequest>,
) -> Result<Json<PromptBody>, Problem> {
    let given = Given::new(source, prompt_path)?;
    let prompt = blocking(&app, |prompts| given.read(prompts)).await?;
    Ok(Json(prompt.into()))
}
