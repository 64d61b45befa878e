use clap::Args;
use serde_json::json;

use crate::cli::output::cell;
use crate::cli::runs::watch::watch;
use crate::cli::{Connect, Exit, exit, input, output};
use crate::client::{Question, segment};

/// Runs a workflow's newest version on the server. Prints the new run's id.
#[derive(Debug, Args)]
pub(crate) struct Execute {
    /// Its name or id.
    workflow: String,
    /// The input: `key=value`, `@FILE`, or `-` for standard input. May be given several times.
    #[arg(short, long, value_name = "PART")]
    input: Vec<String>,
    /// Labels of the run. May be given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// What you call the run. Unique; the run is found by it.
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Shows the run's events until it is over. Exits with 1 if it failed.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Execute {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let body = json!({
            "input": input::read(&self.input)?,
            "labels": serde_json::Map::from_iter(
                self.label.into_iter().map(|(key, value)| (key, value.into())),
            ),
            "external_id": self.external_id,
        });
        let client = self.connect.client().await?;
        let path = format!("/api/v1/workflows/{}/execute", segment(&self.workflow));
        let run = client.expect(Question::post(&path, &body)).await?;
        let id = cell(&run, "id");
        if !self.watch {
            output::line(&id);
            return Ok(Exit::Ok);
        }
        exit::message(&format!("run {id}"));
        watch(&client, &id).await
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("`KEY=VALUE` is expected")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}
