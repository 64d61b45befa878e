use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{cell, time};
use crate::cli::runs::pages::{PageArgs, read};
use crate::cli::{Connect, Exit, Format, output};

/// Lists keys, the oldest first, those that are no longer good among them.
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
        let keys = read(&client, "/api/v1/keys?", self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&json!(keys)),
            Format::Table => {
                let head = [
                    "ID", "KEY", "NAME", "ROLE", "SCOPES", "PROJECT", "CREATED", "EXPIRES",
                    "REVOKED",
                ];
                let rows: Vec<_> = keys.iter().map(row).collect();
                output::table(&head, &rows);
            }
        }
        Ok(Exit::Ok)
    }
}

fn row(key: &Value) -> Vec<String> {
    vec![
        cell(key, "id"),
        format!("{}…", cell(key, "prefix")),
        cell(key, "name"),
        cell(key, "role"),
        scopes(key),
        cell(key, "project"),
        time(key, "created_at"),
        time(key, "expires_at"),
        time(key, "revoked_at"),
    ]
}

fn scopes(key: &Value) -> String {
    let words = key["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(",")
}
