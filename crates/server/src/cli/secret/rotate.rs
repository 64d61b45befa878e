use clap::Args;
use serde_json::json;

use crate::cli::output::cell;
use crate::cli::{Connect, Exit, exit};
use crate::client::Question;

/// Seals every secret anew that an earlier key has sealed.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    connect: Connect,
}

impl Rotate {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let rotated = client.expect(Question::post("/api/v1/secrets/rotate", &json!({}))).await?;
        exit::message(&format!("{} secrets were sealed anew", cell(&rotated, "count")));
        Ok(Exit::Ok)
    }
}
