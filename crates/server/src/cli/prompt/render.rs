use clap::Args;

use super::file::{File, Inputs};
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, output};
use crate::client::Question;

/// Fills in a prompt file and prints it. Nobody is asked anything.
#[derive(Debug, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Render {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let request = self.file.request_with(&self.inputs)?;
        let client = self.connect.client().await?;
        let rendered = client.expect(Question::post("/api/prompts/render", &request)).await?;
        match self.output {
            Format::Json => output::json(&rendered),
            Format::Table => output::line(&cell(&rendered, "rendered")),
        }
        Ok(Exit::Ok)
    }
}
