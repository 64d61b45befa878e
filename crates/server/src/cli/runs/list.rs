use clap::Args;
use serde_json::Value;

use super::pages::{PageArgs, read};
use crate::cli::output::{self, cell, time};
use crate::cli::{Connect, Exit, Format};
use crate::client::segment;

/// The longest reason that is shown whole in a row, in characters.
const REASON_LENGTH_MAX: usize = 30;

/// Lists runs, the newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only runs at these statuses, with commas between them.
    #[arg(long)]
    status: Option<String>,
    /// Only runs of this workflow.
    #[arg(long)]
    workflow: Option<String>,
    /// Only runs with this label. May be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<String>,
    /// Only runs with this text in their id, external id, workflow or error.
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let mut path = "/api/v1/runs?".to_owned();
        let labels = (!self.label.is_empty()).then(|| self.label.join(","));
        let filters = [
            ("status", self.status),
            ("workflow", self.workflow),
            ("label", labels),
            ("text", self.text),
        ];
        for (name, value) in filters {
            if let Some(value) = value {
                path.push_str(&format!("{name}={}&", segment(&value)));
            }
        }
        let items = read(&client, &path, self.page.limit).await?;
        match self.page.output {
            Format::Json => output::json(&items.into()),
            Format::Table => {
                let row = |item: &Value| {
                    vec![
                        cell(item, "id"),
                        cell(item, "workflow"),
                        in_short(item),
                        time(item, "created_at"),
                        time(item, "finished_at"),
                        cell(item, "steps_total"),
                        cell(item, "external_id"),
                    ]
                };
                let rows: Vec<_> = items.iter().map(row).collect();
                let head =
                    ["ID", "WORKFLOW", "STATUS", "CREATED", "FINISHED", "STEPS", "EXTERNAL ID"];
                let is_any_called = items.iter().any(|item| item["external_id"].is_string());
                output::table(&head[..head.len() - usize::from(!is_any_called)], &rows);
            }
        }
        Ok(Exit::Ok)
    }
}

/// A status and the beginning of why.
fn in_short(item: &Value) -> String {
    let mut item = item.clone();
    if let Some(reason) = item["reason"].as_str()
        && let Some((end, _)) = reason.char_indices().nth(REASON_LENGTH_MAX)
    {
        item["reason"] = format!("{}…", &reason[..end]).into();
    }
    standing(&item)
}

/// A status and why.
pub(super) fn standing(item: &Value) -> String {
    match item["reason"].as_str() {
        Some(reason) => format!("{} ({reason})", cell(item, "status")),
        None => cell(item, "status"),
    }
}
