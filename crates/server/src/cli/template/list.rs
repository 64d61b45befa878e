use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format};

/// Lists templates.
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
        let items = read(&client, "/api/v1/templates?", self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => table(&items),
        }
        Ok(Exit::Ok)
    }
}

/// Templates as rows.
pub(super) fn table(items: &[Value]) {
    let row = |item: &Value| {
        vec![
            cell(item, "name"),
            cell(item, "version"),
            time(item, "updated_at"),
            cell(item, "description"),
        ]
    };
    let rows: Vec<_> = items.iter().map(row).collect();
    output::table(&["NAME", "VERSION", "IMPORTED", "DESCRIPTION"], &rows);
}
