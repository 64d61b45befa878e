use clap::Args;

use super::set;
use crate::cli::{Connect, Exit};

/// Ends the pause of an instance.
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Its id or name.
    instance: String,
    /// Why, for whoever looks.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Resume {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        set(&self.connect, &self.instance, "resume", self.reason).await
    }
}
