use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Question, segment};

/// Shows a unit of work: its attributes, its parts, and what it waits for.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id.
    uow: String,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/uows/{}", segment(&self.uow));
        let unit = client.expect(Question::get(&path)).await?;
        if self.output == Format::Json {
            output::json(&unit);
            return Ok(Exit::Ok);
        }
        let why = client.expect(Question::get(&format!("{path}/why"))).await?;
        for field in ["id", "instance_id", "workflow", "status", "reason", "place", "role"] {
            output::line(&format!("{field:<13}{}", cell(&unit, field)));
        }
        output::line(&format!("{:<13}{}", "created", time(&unit, "created_at")));
        if let Some(message) = why["steps"][0]["message"].as_str() {
            output::line(&format!("{:<13}{message}", "why"));
        }
        output::line("");
        let attributes = unit["attributes"].as_object().into_iter().flatten();
        let rows: Vec<_> = attributes
            .map(|(name, one)| {
                let version = cell(one, "version");
                vec![name.clone(), version, cell(one, "actor"), cell(one, "value")]
            })
            .collect();
        output::table(&["ATTRIBUTE", "VERSION", "ACTOR", "VALUE"], &rows);
        let row = |part: &Value| vec![cell(part, "id"), cell(part, "status"), cell(part, "place")];
        let parts: Vec<_> = unit["children"].as_array().into_iter().flatten().map(row).collect();
        if !parts.is_empty() {
            output::line("");
            output::table(&["PART", "STATUS", "PLACE"], &parts);
        }
        Ok(Exit::Ok)
    }
}
