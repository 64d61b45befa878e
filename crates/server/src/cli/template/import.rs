use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Args;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, exit, output, run};
use crate::client::{Client, Question};

/// Imports templates. Each is checked whole before anything of it is kept.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files in YAML or JSON.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client_or_new().await?;
        let mut result = Exit::Ok;
        for file in &self.files {
            if let Err(error) = import(&client, file).await {
                result = Exit::of(&error);
                exit::message(&format!("{}: {error:#}", file.display()));
            }
        }
        Ok(result)
    }
}

/// Imports a template, and says so.
///
/// # Errors
///
/// That it cannot be read or is refused.
pub(super) async fn import(client: &Client, file: &Path) -> anyhow::Result<()> {
    let text = run::read_definition(file)?;
    let body = Some(("application/yaml", text.into_bytes()));
    let path = "/api/v1/templates";
    let question = Question { method: Method::POST, path, body, headers: Vec::new() };
    let template = client.expect(question).await?;
    for finding in template["findings"].as_array().into_iter().flatten() {
        let (code, message) = (cell(finding, "code"), cell(finding, "message"));
        exit::message(&format!("warning[{code}]: {message}"));
    }
    let (name, version) = (cell(&template, "name"), cell(&template, "version"));
    output::line(&format!("{name}: version {version}"));
    Ok(())
}
