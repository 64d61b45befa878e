//! `/api/prompts`: prompt files are read, filled in, and tried out. The paths are those of plue.
//!
//! A file is given as its text or by its path below the server's directory of prompts. What it means
//! is known to `windlass_nodes::prompt` alone.

pub mod list;
pub mod parse;
pub mod render;
pub mod test;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use windlass_core::Finding;
use windlass_nodes::PromptSettings;
use windlass_nodes::prompt::{self, PROMPT_BYTES_MAX, Prompt, PromptError, PromptType};

use crate::app::App;
use crate::http::problem::{self, Problem, summary};

/// What a prompt file is called in problems if only its text is known.
const SOURCE: &str = "source";

/// A prompt file, read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PromptBody {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who is asked, as `provider/model`.
    pub client: String,
    /// `llm` or `agent`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub prompt_type: PromptType,
    /// JSON Schema of the inputs.
    pub inputs_schema: Value,
    /// JSON Schema of the answer; null if it is a text.
    pub output_schema: Option<Value>,
    /// The tools of an agent.
    pub tools: Vec<String>,
    /// How often an agent may turn to the model.
    pub max_turns: u32,
    /// The file whose blocks it fills.
    pub extends: Option<String>,
    /// What is odd about it, but goes.
    pub warnings: Vec<String>,
}

impl From<Prompt> for PromptBody {
    fn from(prompt: Prompt) -> PromptBody {
        PromptBody {
            name: prompt.name,
            description: prompt.description,
            client: prompt.client,
            prompt_type: prompt.prompt_type,
            inputs_schema: prompt.inputs,
            output_schema: prompt.output,
            tools: prompt.tools,
            max_turns: prompt.max_turns,
            extends: prompt.extends,
            warnings: prompt.warnings,
        }
    }
}

/// A prompt file, as a request gives it.
#[derive(Clone, Debug)]
enum Given {
    Source(String),
    Path(String),
}

impl Given {
    fn new(source: Option<String>, prompt_path: Option<String>) -> Result<Given, Problem> {
        match (source, prompt_path) {
            (Some(source), None) => Ok(Given::Source(source)),
            (None, Some(path)) => Ok(Given::Path(path)),
            _ => {
                let message = "one of `source` and `prompt_path` is needed";
                Err(Problem::new(problem::INVALID_REQUEST, message))
            }
        }
    }

    /// The prompt, with what it takes over from the files it extends.
    fn read(self, prompts: &PromptSettings) -> Result<Prompt, PromptError> {
        match self {
            Given::Path(path) => prompts.load(&path),
            Given::Source(text) => {
                let bad = |finding| PromptError::Bad {
                    path: SOURCE.to_owned(),
                    finding: Box::new(finding),
                };
                if text.len() > PROMPT_BYTES_MAX {
                    let message = format!("it has more than {PROMPT_BYTES_MAX} bytes");
                    return Err(bad(Finding::error("bad-prompt", "", message)));
                }
                prompts.complete(prompt::parse(&text).map_err(bad)?)
            }
        }
    }
}

/// Does something with prompt files, away from the threads that must not wait for a disk.
async fn blocking<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&PromptSettings) -> Result<T, PromptError> + Send + 'static,
) -> Result<T, Problem> {
    let prompts = app.trial.prompts.clone();
    let done = tokio::task::spawn_blocking(move || work(&prompts)).await;
    let done = done.map_err(|error| Problem::new(problem::INTERNAL, error.to_string()))?;
    done.map_err(Problem::from)
}

impl From<PromptError> for Problem {
    fn from(error: PromptError) -> Problem {
        let message = error.to_string();
        match error {
            PromptError::NoDirectory | PromptError::NotFound { .. } => {
                Problem::new(problem::PROMPT_NOT_FOUND, message)
            }
            PromptError::Bad { finding, .. } => Problem {
                detail: message,
                ..Problem::findings(problem::BAD_PROMPT, vec![*finding])
            },
            PromptError::Inputs(violations) => {
                let detail = summary(&violations).unwrap_or(message);
                Problem::violations(problem::BAD_INPUTS, &detail, violations)
            }
            PromptError::Render(_) => Problem::new(problem::PROMPT_RENDER, message),
        }
    }
}
