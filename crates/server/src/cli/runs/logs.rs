use clap::Args;
use serde_json::Value;

use super::pages::{PageArgs, read};
use crate::cli::output::{self, cell};
use crate::cli::{Connect, Exit, Format};
use crate::client::segment;

/// Shows what the steps of a run have written.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Only lines of the step of this path.
    #[arg(long, value_name = "PATH")]
    step: Option<String>,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl Logs {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let mut path = format!("/api/v1/runs/{}/logs?", segment(&self.run));
        if let Some(step) = &self.step {
            path.push_str(&format!("path={}&", segment(step)));
        }
        let lines = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&lines.into()),
            Format::Table => {
                let text = |line: &Value| {
                    let (at, path) = (cell(line, "at"), cell(line, "path"));
                    format!("{at} {path} | {}", cell(line, "text"))
                };
                lines.iter().for_each(|line| output::line(&text(line)));
            }
        }
        Ok(Exit::Ok)
    }
}
