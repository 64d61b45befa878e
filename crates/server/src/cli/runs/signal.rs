use clap::Args;
use serde_json::{Value, json};

use super::list::standing;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};
use crate::http::key::IDEMPOTENCY_KEY;

/// Sends a signal to a run.
#[derive(Debug, Args)]
pub(crate) struct Signal {
    /// The run's id, the last 12 characters of it, or its external id.
    run: String,
    /// The signal's name.
    name: String,
    /// What comes with it: JSON, or a text.
    #[arg(default_value = "null")]
    payload: String,
    /// A second signal with the same key changes nothing.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Signal {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let payload = text_or_json(&self.payload);
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}/signals/{}", segment(&self.run), segment(&self.name));
        let mut question = Question::post(&path, &json!({ "payload": payload }));
        question.headers.extend(self.idempotency_key.map(|key| (IDEMPOTENCY_KEY, key)));
        let run = client.expect(question).await?;
        exit::message(&format!("{}: {}", self.run, standing(&run)));
        Ok(Exit::Ok)
    }
}

/// A value from the command line: JSON if it can be read as that, else a text.
pub(in crate::cli) fn text_or_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
