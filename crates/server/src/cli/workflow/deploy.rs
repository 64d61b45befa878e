use std::path::PathBuf;

use axum::http::{Method, StatusCode};
use clap::Args;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, exit, output, run};
use crate::client::{Question, Refusal};

/// Deploys definitions.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// Files in YAML or JSON.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Deploy {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let mut result = Exit::Ok;
        for file in &self.files {
            let text = run::read_definition(file)?;
            let body = Some(("application/yaml", text.into_bytes()));
            let path = "/api/v1/workflows";
            let question = Question { method: Method::POST, path, body, headers: Vec::new() };
            let answer = client.ask(question).await?;
            let workflow = &answer.body;
            let said = match answer.status {
                StatusCode::CREATED => "deployed",
                StatusCode::OK => "unchanged",
                _ => {
                    let problem = serde_json::from_value(answer.body)?;
                    let error = anyhow::Error::from(Refusal(problem));
                    result = Exit::of(&error);
                    exit::message(&format!("{}: {error}", file.display()));
                    continue;
                }
            };
            let (name, version) = (cell(workflow, "name"), cell(workflow, "version"));
            output::line(&format!("{name}: version {version}, {said}"));
        }
        Ok(result)
    }
}
