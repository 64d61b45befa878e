use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};
use crate::client::segment;

/// Lists instances, the newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those that are `active`, `paused` or `archived`.
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let status = self.status.map(|status| format!("status={}&", segment(&status)));
        let path = format!("/api/v1/instances?{}", status.unwrap_or_default());
        let items = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        cell(item, "id"),
                        cell(item, "name"),
                        format!("{} {}", cell(item, "template"), cell(item, "template_version")),
                        cell(item, "status"),
                        time(item, "created_at"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                output::table(&["ID", "NAME", "TEMPLATE", "STATUS", "CREATED"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
