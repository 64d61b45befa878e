use clap::Args;

use super::cancel::stop;
use crate::cli::{Connect, Exit};

/// Lets a paused run go on.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Resume {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        stop("resume", &self.run, self.reason, &self.connect).await
    }
}
