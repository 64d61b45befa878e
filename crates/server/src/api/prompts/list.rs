use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use windlass_nodes::prompt::{Listed, PromptType};

use super::blocking;
use crate::app::Shared;
use crate::http::ProblemResponses;
use crate::http::problem::Problem;

/// A prompt file of the directory, in short.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptSummary {
    /// Its path below the directory: the `prompt_path` of other requests.
    pub path: String,
    /// What it is called; null if it is no prompt.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who is asked, as `provider/model`.
    pub client: Option<String>,
    /// `llm` or `agent`.
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>)]
    pub prompt_type: Option<PromptType>,
    /// The names of its inputs.
    pub inputs: Vec<String>,
    /// Why it is no prompt; null if it is one.
    pub error: Option<String>,
}

/// All prompt files, on one page.
#[derive(Debug, Serialize, ToSchema)]
pub struct PromptList {
    /// By path, up to 10,000.
    pub items: Vec<PromptSummary>,
    /// Always null.
    pub next_cursor: Option<String>,
}

impl From<Listed> for PromptSummary {
    fn from(Listed { path, prompt }: Listed) -> PromptSummary {
        match prompt {
            Ok(prompt) => {
                let inputs = prompt.inputs.get("properties").and_then(Value::as_object);
                PromptSummary {
                    path,
                    name: Some(prompt.name),
                    description: prompt.description,
                    client: Some(prompt.client),
                    prompt_type: Some(prompt.prompt_type),
                    inputs: inputs.into_iter().flat_map(Map::keys).cloned().collect(),
                    error: None,
                }
            }
            Err(error) => PromptSummary {
                path,
                name: None,
                description: None,
                client: None,
                prompt_type: None,
                inputs: Vec::new(),
                error: Some(error),
            },
        }
    }
}

/// The prompt files of the server's directory (`llm.prompts`), those included that are broken.
#[utoipa::path(
    get, path = "/api/prompts", tag = "prompts",
    responses((status = 200, body = PromptList), ProblemResponses)
)]
pub async fn list_prompts(State(app): Shared) -> Result<Json<PromptList>, Problem> {
    let listed = blocking(&app, |prompts| prompts.list()).await?;
    let items = listed.into_iter().map(PromptSummary::from).collect();
    Ok(Json(PromptList { items, next_cursor: None }))
}
