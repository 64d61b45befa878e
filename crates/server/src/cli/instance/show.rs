use clap::Args;
use serde_json::Value;

use crate::cli::output::{self, cell};
use crate::cli::{Connect, Exit, Format};
use crate::client::{Question, segment};

/// Shows an instance: its roles, where they take from, and how many units are where.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id or name.
    instance: String,
    #[command(flatten)]
    connect: Connect,
    /// How to write it.
    #[arg(short, long, default_value = "table")]
    output: Format,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/instances/{}", segment(&self.instance));
        let instance = client.expect(Question::get(&path)).await?;
        if self.output == Format::Json {
            output::json(&instance);
            return Ok(Exit::Ok);
        }
        for field in ["id", "name", "template", "template_version", "status", "reason"] {
            output::line(&format!("{field:<18}{}", cell(&instance, field)));
        }
        for workflow in instance["workflows"].as_array().into_iter().flatten() {
            output::line(&format!("\nworkflow {}", cell(workflow, "name")));
            let roles = workflow["roles"].as_array().into_iter().flatten().map(|role| {
                let names = |field: &str| {
                    let names = role[field].as_array().into_iter().flatten();
                    names.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
                };
                vec![
                    cell(role, "name"),
                    cell(role, "type"),
                    names("takes_from"),
                    names("hands_on_to"),
                    cell(role, "id"),
                ]
            });
            let roles: Vec<_> = roles.collect();
            output::table(&["ROLE", "TYPE", "TAKES FROM", "HANDS ON TO", "ID"], &roles);
        }
        output::line("");
        let counts = instance["units"].as_array().into_iter().flatten().map(|count| {
            let fields = ["workflow", "place", "status", "count"];
            fields.iter().map(|field| cell(count, field)).collect::<Vec<_>>()
        });
        let counts: Vec<_> = counts.collect();
        output::table(&["WORKFLOW", "PLACE", "STATUS", "UNITS"], &counts);
        Ok(Exit::Ok)
    }
}
