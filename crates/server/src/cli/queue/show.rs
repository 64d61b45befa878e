use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell, time};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Question, segment};

/// Shows a queue: what was taken from it, and what waits.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its name.
    queue: String,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/queues/{}", segment(&self.queue));
        let queue = client.expect(Question::get(&path)).await?;
        if self.output == Format::Json {
            output::json(&queue);
            return Ok(Exit::Ok);
        }
        for field in ["name", "depth", "held", "concurrency", "is_limited", "worker_count"] {
            output::line(&format!("{field:<14}{}", cell(&queue, field)));
        }
        output::line("");
        let row = |task: &Value| {
            vec![
                cell(task, "id"),
                cell(task, "kind"),
                cell(task, "priority"),
                cell(&task["holder"], "worker"),
                time(task, "offered_at"),
            ]
        };
        let rows: Vec<_> = queue["tasks"].as_array().into_iter().flatten().map(row).collect();
        output::table(&["TASK", "KIND", "PRIORITY", "HOLDER", "OFFERED"], &rows);
        Ok(Exit::Ok)
    }
}
