use std::path::PathBuf;

use clap::Args;

use super::{put, written};
use crate::cli::{Connect, Exit};

/// Writes a template in YAML, so that it can be imported again.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Its id or name.
    template: String,
    /// Where to write it. Left out: standard output.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        put(&written(&client, &self.template, "format=yaml").await?, self.file.as_deref())?;
        Ok(Exit::Ok)
    }
}
