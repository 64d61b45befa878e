use clap::Args;
use serde_json::json;

use super::show;
use crate::cli::output::cell;
use crate::cli::{Connect, Exit, exit, input};
use crate::client::{Question, segment};

/// A decision.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The run's id, the last 12 characters of it, or its external id.
    run: String,
    /// The step's path.
    step: String,
    /// What the form asks for: `key=value`, `@FILE`, or `-`.
    #[arg(short, long, value_name = "PART")]
    form: Vec<String>,
    /// What there is to say about it.
    #[arg(long)]
    comment: Option<String>,
    /// The hash of what was seen. Left out, what is asked now is looked at and decided.
    #[arg(long)]
    hash: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Decide {
    pub(super) async fn run(self, decision: &str) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let hash = match self.hash {
            Some(hash) => hash,
            None => cell(&show::read(&client, &self.run, &self.step).await?, "hash"),
        };
        let mut body = json!({ "decision": decision, "hash": hash, "comment": self.comment });
        if !self.form.is_empty() {
            body["form"] = input::read(&self.form)?;
        }
        let path = format!("/api/v1/runs/{}/approvals/{}", segment(&self.run), segment(&self.step));
        let run = client.expect(Question::post(&path, &body)).await?;
        exit::message(&format!("{}: the run is {}", self.step, cell(&run, "status")));
        Ok(Exit::Ok)
    }
}
