use clap::Args;
use serde_json::Value;

use super::list::standing;
use super::pages::read;
use crate::cli::output::{self, cell, time};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Question, segment};

/// Shows a run and its steps.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// How many steps at most.
    #[arg(long, default_value_t = 200, value_name = "COUNT")]
    steps: u64,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}", segment(&self.run));
        let mut run = client.expect(Question::get(&path)).await?;
        let steps = read(&client, &format!("{path}/steps?"), self.steps).await?;
        if self.output == Format::Json {
            run["steps"] = steps.into();
            output::json(&run);
            return Ok(Exit::Ok);
        }
        for (title, field) in [("run", "id"), ("workflow", "workflow"), ("version", "version")] {
            output::line(&format!("{title:<10}{}", cell(&run, field)));
        }
        output::line(&format!("{:<10}{}", "status", standing(&run)));
        for (title, field) in
            [("created", "created_at"), ("started", "started_at"), ("finished", "finished_at")]
        {
            output::line(&format!("{title:<10}{}", time(&run, field)));
        }
        for title in ["input", "output"] {
            if !run[title].is_null() {
                output::line(&format!("{title:<10}{}", run[title]));
            }
        }
        if let Some(message) = run["error"]["message"].as_str() {
            let (code, step) = (cell(&run["error"], "code"), cell(&run["error"], "step"));
            output::line(&format!("{:<10}{step}: {message} ({code})", "error"));
        }
        output::line("");
        let row = |step: &Value| {
            vec![
                cell(step, "path"),
                cell(step, "kind"),
                standing(step),
                cell(step, "attempt"),
                time(step, "finished_at"),
            ]
        };
        let rows: Vec<_> = steps.iter().map(row).collect();
        output::table(&["STEP", "KIND", "STATUS", "ATTEMPT", "FINISHED"], &rows);
        Ok(Exit::Ok)
    }
}
