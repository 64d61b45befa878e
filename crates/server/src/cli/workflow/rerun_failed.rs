use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{self, cell};
use crate::cli::{Connect, Exit, Format, exit};
use crate::client::{Question, segment};

/// Resumes failed runs of a workflow: new runs that reuse what has succeeded.
#[derive(Debug, Args)]
pub(crate) struct RerunFailed {
    /// Its name or id.
    workflow: String,
    /// Only runs created at this time (RFC 3339) or later.
    #[arg(long, value_name = "TIME")]
    created_after: Option<String>,
    /// Only runs created before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    created_before: Option<String>,
    /// Only runs with this label; with commas between several.
    #[arg(long, value_name = "KEY=VALUE")]
    label: Option<String>,
    /// Only runs with this text in their id, external id or error.
    #[arg(long)]
    text: Option<String>,
    /// How many at most, the newest first.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: u32,
    /// Reuses nothing.
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl RerunFailed {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/workflows/{}/rerun-failed", segment(&self.workflow));
        let body = json!({
            "created_after": self.created_after,
            "created_before": self.created_before,
            "label": self.label,
            "text": self.text,
            "limit": self.limit,
            "from_start": self.from_start,
        });
        let answer = client.expect(Question::post(&path, &body)).await?;
        if self.output == Format::Json {
            output::json(&answer);
            return Ok(Exit::Ok);
        }
        let row = |item: &Value| {
            vec![cell(item, "run_id"), cell(item, "resumed_as"), cell(item, "error")]
        };
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        if items.is_empty() {
            exit::message("no run that has failed is left to be resumed");
            return Ok(Exit::Ok);
        }
        let rows: Vec<_> = items.iter().map(row).collect();
        output::table(&["FAILED", "RESUMED AS", "ERROR"], &rows);
        if answer["has_more"] == true {
            exit::message("there are more; ask again, or for more by --limit");
        }
        Ok(Exit::Ok)
    }
}
