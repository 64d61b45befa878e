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
        let line = |title: &str, text: &str| output::line(&format!("{title:<13}{text}"));
        line("run", &cell(&run, "id"));
        if run["external_id"].is_string() {
            line("external id", &cell(&run, "external_id"));
        }
        line("workflow", &cell(&run, "workflow"));
        line("version", &cell(&run, "version"));
        line("status", &standing(&run));
        for (title, field) in
            [("created", "created_at"), ("started", "started_at"), ("finished", "finished_at")]
        {
            line(title, &time(&run, field));
        }
        for title in ["input", "output"] {
            if !run[title].is_null() {
                line(title, &run[title].to_string());
            }
        }
        if let Some(error) = output::error(&run["error"]) {
            line("error", &error);
        }
        output::line("");
        let row = |step: &Value| {
            vec![
                cell(step, "path"),
                cell(step, "kind"),
                standing(step),
                cell(step, "attempt"),
                time(step, "finished_at"),
                output::error(&step["error"]).unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = steps.iter().map(row).collect();
        let head = ["STEP", "KIND", "STATUS", "ATTEMPT", "FINISHED", "ERROR"];
        let has_errors = steps.iter().any(|step| !step["error"].is_null());
        output::table(&head[..head.len() - usize::from(!has_errors)], &rows);
        Ok(Exit::Ok)
    }
}
