use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format, output};

/// Lists what was changed, the oldest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only records behind this number.
    #[arg(long, default_value_t = 0)]
    after: u32,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/audit?after={}&", self.after);
        let records = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&json!(records)),
            Format::Table => {
                let rows: Vec<_> = records.iter().map(row).collect();
                output::table(&["SEQ", "AT", "PROJECT", "WHO", "WHAT", "TO", "STATUS"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}

fn row(record: &Value) -> Vec<String> {
    vec![
        cell(record, "seq"),
        time(record, "at"),
        cell(record, "project"),
        cell(record, "principal"),
        cell(record, "action"),
        cell(record, "target"),
        cell(&record["detail"], "status"),
    ]
}
