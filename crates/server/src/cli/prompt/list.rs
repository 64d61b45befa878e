use clap::Args;
use serde_json::Value;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, output};
use crate::client::Question;

/// Lists the prompt files of the server's directory.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let prompts = client.expect(Question::get("/api/prompts")).await?;
        let prompts = prompts["items"].as_array().cloned().unwrap_or_default();
        if self.output == Format::Json {
            output::json(&Value::from(prompts));
            return Ok(Exit::Ok);
        }
        let rows: Vec<_> = prompts.iter().map(row).collect();
        output::table(&["PATH", "NAME", "CLIENT", "INPUTS"], &rows);
        Ok(Exit::Ok)
    }
}

fn row(prompt: &Value) -> Vec<String> {
    let path = cell(prompt, "path");
    if let Some(error) = prompt["error"].as_str() {
        // In the last column, which may be wide.
        let nothing = || "-".to_owned();
        return vec![path, nothing(), nothing(), format!("broken: {error}")];
    }
    let inputs = prompt["inputs"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let inputs: Vec<&str> = inputs.collect();
    let inputs = if inputs.is_empty() { "-".to_owned() } else { inputs.join(", ") };
    vec![path, cell(prompt, "name"), cell(prompt, "client"), inputs]
}
