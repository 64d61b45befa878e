use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::cli::{Connect, Exit, exit};
use crate::client::{Client, Question};

/// The largest `state.json` that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Takes in the runs of the hybrid engine: a directory with `<id>/state.json` for each.
///
/// What is over is kept to be looked at. What is not goes on: steps that are completed are not done
/// again. Runs that are known are passed over, so the command can be repeated.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The directory, as `WORKFLOWS_DIR` names it.
    directory: PathBuf,
    #[command(flatten)]
    connect: Connect,
}

impl Import {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let files = files(&self.directory)?;
        let client = self.connect.client().await?;
        let (mut taken, mut known, mut failed) = (0_u32, 0_u32, 0_u32);
        for file in &files {
            match take(&client, file).await {
                Ok(true) => taken += 1,
                Ok(false) => known += 1,
                Err(error) => {
                    failed += 1;
                    exit::message(&format!("{}: {error:#}", file.display()));
                }
            }
        }
        exit::message(&format!("{taken} taken in, {known} known already, {failed} not readable"));
        Ok(if failed > 0 { Exit::CheckFailed } else { Exit::Ok })
    }
}

/// The documents of a directory, by name.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)
        .with_context(|| format!("cannot read `{}`", directory.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry?.path().join("state.json");
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Hands a document over. Answers whether it was new.
async fn take(client: &Client, file: &Path) -> anyhow::Result<bool> {
    if file.metadata()?.len() > FILE_BYTES_MAX {
        anyhow::bail!("it is larger than {FILE_BYTES_MAX} bytes");
    }
    let document: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    let answer = client.ask(Question::post("/api/workflows", &document)).await?;
    match answer.status.as_u16() {
        409 => Ok(false),
        200..300 => Ok(true),
        status => {
            let detail = answer.body["detail"].as_str().unwrap_or("it was refused");
            anyhow::bail!("{detail} ({status})")
        }
    }
}
