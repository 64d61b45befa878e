use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Client, Question, segment};

/// Shows what a step asks: what is approved, the form, who may decide, who has decided.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The run's id, the last 12 characters of it, or its external id.
    run: String,
    /// The step's path.
    step: String,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let approval = read(&client, &self.run, &self.step).await?;
        if self.output == Format::Json {
            output::json(&approval);
            return Ok(Exit::Ok);
        }
        output::line(&cell(&approval, "title"));
        let approvers = approval["approvers"].as_array().cloned().unwrap_or_default();
        let approvers: Vec<&str> = approvers.iter().filter_map(Value::as_str).collect();
        let who = if approvers.is_empty() { "whoever may approve" } else { &approvers.join(", ") };
        output::line(&format!("asks {who}; {} needed", cell(&approval, "quorum")));
        if !approval["deadline"].is_null() {
            output::line(&format!("until {}", time(&approval, "deadline")));
        }
        for (name, field) in [("subject", "subject"), ("form", "form")] {
            if !approval[field].is_null() {
                output::line(&format!("{name}:"));
                output::json(&approval[field]);
            }
        }
        for decision in approval["decisions"].as_array().into_iter().flatten() {
            output::line(&format!("{}: {}", cell(decision, "by"), cell(decision, "decision")));
        }
        Ok(Exit::Ok)
    }
}

/// What a step asks.
pub(super) async fn read(client: &Client, run: &str, step: &str) -> anyhow::Result<Value> {
    let path = format!("/api/v1/runs/{}/approvals/{}", segment(run), segment(step));
    client.expect(Question::get(&path)).await
}
