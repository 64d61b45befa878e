use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};

/// Lists the queues that have something in them or out of them.
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
        let items = read(&client, "/api/v1/queues?", self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        cell(item, "name"),
                        cell(item, "depth"),
                        cell(item, "held"),
                        time(item, "oldest_at"),
                        cell(item, "worker_count"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                output::table(&["QUEUE", "WAITING", "HELD", "OLDEST", "WORKERS"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
