use clap::Args;

use crate::cli::{Connect, Exit, Format, output};
use crate::client::{Question, segment};

/// Shows a template: its text as it was imported, or everything as JSON.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id or name.
    template: String,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/templates/{}", segment(&self.template));
        let template = client.expect(Question::get(&path)).await?;
        match self.output {
            Format::Json => output::json(&template),
            Format::Table => {
                output::line(template["source"].as_str().unwrap_or_default().trim_end());
            }
        }
        Ok(Exit::Ok)
    }
}
