use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};
use crate::client::segment;

/// Tells what has happened to a unit of work.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Its id.
    uow: String,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl History {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/uows/{}/history?", segment(&self.uow));
        let items = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        time(item, "at"),
                        cell(item, "event"),
                        cell(item, "status"),
                        cell(item, "place"),
                        cell(item, "actor"),
                        cell(item, "reasoning"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                output::table(&["AT", "EVENT", "STATUS", "PLACE", "ACTOR", "REASONING"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
