use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};

/// Lists the approvals that wait to be decided, those that have waited longest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let items = read(&client, "/api/v1/approvals?", self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        cell(item, "run_id"),
                        cell(item, "step"),
                        cell(item, "workflow"),
                        cell(item, "title"),
                        time(item, "since"),
                        time(item, "deadline"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                output::table(&["RUN", "STEP", "WORKFLOW", "TITLE", "SINCE", "DEADLINE"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
