use clap::Args;
use serde_json::Value;

use super::list::standing;
use crate::cli::output::{self, cell};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Question, segment};

/// Says why a run, and each of its steps, does not move.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Only this step.
    step: Option<String>,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Why {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let step = self.step.map(|step| format!("?step={}", segment(&step))).unwrap_or_default();
        let path = format!("/api/v1/runs/{}/why{step}", segment(&self.run));
        let why = client.expect(Question::get(&path)).await?;
        if self.output == Format::Json {
            output::json(&why);
            return Ok(Exit::Ok);
        }
        output::line(&format!("{}: {}", cell(&why, "run_id"), standing(&why)));
        let list = |field: &str| why[field].as_array().cloned().unwrap_or_default();
        for cause in list("because") {
            output::line(&cell(&cause, "message"));
        }
        let row =
            |step: &Value| vec![cell(step, "path"), cell(step, "status"), cell(step, "message")];
        let rows: Vec<_> = list("steps").iter().map(row).collect();
        if !rows.is_empty() {
            output::line("");
            output::table(&["STEP", "STATUS", "BECAUSE"], &rows);
        }
        Ok(Exit::Ok)
    }
}
