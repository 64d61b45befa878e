use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format, output};

/// Lists the names of secrets.
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
        let secrets = read(&client, "/api/v1/secrets?", self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&json!(secrets)),
            Format::Table => {
                let row = |secret: &Value| {
                    vec![
                        cell(secret, "name"),
                        time(secret, "updated_at"),
                        cell(secret, "updated_by"),
                    ]
                };
                let rows: Vec<_> = secrets.iter().map(row).collect();
                output::table(&["NAME", "SET", "BY"], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}
