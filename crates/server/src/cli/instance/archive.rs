use clap::Args;

use super::set;
use crate::cli::{Connect, Exit};

/// Archives an instance, for good.
#[derive(Debug, Args)]
pub(crate) struct Archive {
    /// Its id or name.
    instance: String,
    /// Why, for whoever looks.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Archive {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        set(&self.connect, &self.instance, "archive", self.reason).await
    }
}
