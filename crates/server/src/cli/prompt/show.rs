use clap::Args;
use serde_json::Value;

use super::file::File;
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, exit, output};
use crate::client::Question;

/// Reads a prompt file: whom it asks, what it takes, and what comes out. Exits with 3 if it is none.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let request = self.file.request()?;
        let client = self.connect.client().await?;
        let prompt = client.expect(Question::post("/api/prompts/parse", &request)).await?;
        if self.output == Format::Json {
            output::json(&prompt);
            return Ok(Exit::Ok);
        }
        output::line(&format!("{}, for {}", cell(&prompt, "name"), cell(&prompt, "client")));
        if !prompt["description"].is_null() {
            output::line(&cell(&prompt, "description"));
        }
        if prompt["type"] == "agent" {
            let tools = prompt["tools"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let tools: Vec<&str> = tools.collect();
            let turns = cell(&prompt, "max_turns");
            output::line(&format!("an agent of up to {turns} turns, with {}", tools.join(", ")));
        }
        output::line("inputs:");
        output::json(&prompt["inputs_schema"]);
        if prompt["output_schema"].is_null() {
            output::line("output: a text");
        } else {
            output::line("output:");
            output::json(&prompt["output_schema"]);
        }
        for warning in prompt["warnings"].as_array().into_iter().flatten() {
            exit::message(&format!("warning: {}", warning.as_str().unwrap_or_default()));
        }
        Ok(Exit::Ok)
    }
}
