mod decide;
mod list;
mod show;

use clap::Subcommand;

use super::Exit;

/// Approvals: what people are asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Approval {
    List(list::List),
    Show(show::Show),
    /// Approves what a step asks.
    Approve(decide::Decide),
    /// Rejects what a step asks.
    Reject(decide::Decide),
}

impl Approval {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Approval::List(command) => command.run().await,
            Approval::Show(command) => command.run().await,
            Approval::Approve(command) => command.run("approve").await,
            Approval::Reject(command) => command.run("reject").await,
        }
    }
}
