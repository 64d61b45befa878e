use clap::Args;
use serde_json::json;

use crate::cli::output::cell;
use crate::cli::runs::text_or_json;
use crate::cli::{Connect, Exit, exit};
use crate::client::{Question, segment};

/// Reports an event. Every step that waits for it goes on.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The event's name.
    name: String,
    /// What it says: JSON, or a text.
    #[arg(id = "EVENT_DATA", value_name = "DATA", default_value = "null")]
    said: String,
    #[command(flatten)]
    connect: Connect,
}

impl Send {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/events/{}", segment(&self.name));
        let body = json!({ "data": text_or_json(&self.said) });
        let answer = client.expect(Question::post(&path, &body)).await?;
        exit::message(&format!("{} steps have gone on", cell(&answer, "taken")));
        Ok(Exit::Ok)
    }
}
