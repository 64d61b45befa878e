use clap::Args;
use serde_json::Value;

use super::file::{File, Inputs};
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, Format, exit, output};
use crate::client::Question;

/// Fills in a prompt file, asks the model, and prints what it says. Exits with 1 if there is no answer
/// or none that fits.
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    inputs: Inputs,
    /// Who is asked instead of the file's `client`.
    #[arg(short, long)]
    model: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Test {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut request = self.file.request_with(&self.inputs)?;
        request["model"] = self.model.into();
        let client = self.connect.client().await?;
        let tested = client.expect(Question::post("/api/prompts/test", &request)).await?;
        match self.output {
            Format::Json => output::json(&tested),
            Format::Table => tell(&tested),
        }
        Ok(if tested["status"] == "succeeded" { Exit::Ok } else { Exit::RunFailed })
    }
}

/// The reply is data; all the rest is about it.
fn tell(tested: &Value) {
    if !tested["reply"].is_null() {
        output::line(&cell(tested, "reply"));
    }
    for usage in tested["usage"].as_array().into_iter().flatten() {
        let cost = match usage["cost_micros"].as_f64() {
            Some(micros) => format!(", {} dollars", micros / 1e6),
            None => String::new(),
        };
        exit::message(&format!(
            "{}/{}: {} tokens sent, {} answered, {} ms{cost}",
            cell(usage, "provider"),
            cell(usage, "model"),
            cell(usage, "input_tokens"),
            cell(usage, "output_tokens"),
            cell(usage, "latency_ms"),
        ));
    }
    if let Some(error) = tested["error"].as_object() {
        let said = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        exit::message(&format!("failed: {} ({})", said("message"), said("code")));
    } else if tested["fits"] == true {
        exit::message("it fits the file's output");
    }
}
