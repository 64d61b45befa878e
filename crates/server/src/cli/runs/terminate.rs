use clap::Args;

use super::cancel::stop;
use crate::cli::{Connect, Exit};

/// Ends a run at once: nothing is cleaned up and nothing undone.
#[derive(Debug, Args)]
pub(crate) struct Terminate {
    /// Its id, the last 12 characters of it, or its external id.
    run: String,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Terminate {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        stop("terminate", &self.run, self.reason, &self.connect).await
    }
}
