use clap::Args;

use super::cancel::stop;
use crate::cli::{Connect, Exit};

/// Pauses a run: nothing further of it begins until it is resumed.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Pause {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        stop("pause", &self.run, self.reason, &self.connect).await
    }
}
