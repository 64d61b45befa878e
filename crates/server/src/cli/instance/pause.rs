use clap::Args;

use super::set;
use crate::cli::{Connect, Exit};

/// Pauses an instance: nobody may take units of it.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    /// Its id or name.
    instance: String,
    /// Why, for whoever looks.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Pause {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        set(&self.connect, &self.instance, "pause", self.reason).await
    }
}
