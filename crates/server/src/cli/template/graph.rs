use std::path::PathBuf;

use clap::Args;

use super::{put, written};
use crate::cli::{Connect, Exit};

/// Writes the picture of a template, as SVG or in Graphviz' language, DOT.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Its id or name.
    template: String,
    /// SVG instead of DOT.
    #[arg(long)]
    svg: bool,
    /// Where to write it. Left out: standard output.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

impl Graph {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let client = self.connect.client().await?;
        let format = if self.svg { "format=svg" } else { "format=dot" };
        put(&written(&client, &self.template, format).await?, self.file.as_deref())?;
        Ok(Exit::Ok)
    }
}
