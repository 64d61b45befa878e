use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::{Connect, Exit, exit, output};
use crate::client::{Question, segment};

/// Writes a run to one file, for `windlass open`: definition, input, journal, outputs, log lines.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// The file, such as `case.wfrun`. Left out: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let path = format!("/api/v1/runs/{}/export", segment(&self.run));
        let file = client.expect(Question::get(&path)).await?;
        let Some(place) = self.output else {
            output::json(&file);
            return Ok(Exit::Ok);
        };
        let text = serde_json::to_vec_pretty(&file)?;
        std::fs::write(&place, text)
            .with_context(|| format!("cannot write `{}`", place.display()))?;
        let count = file["events"].as_array().map_or(0, Vec::len);
        let what = format!("{} has the run, {count} events", place.display());
        exit::message(&format!("{what}; `windlass open` shows it"));
        Ok(Exit::Ok)
    }
}
