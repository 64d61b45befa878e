mod list;
mod verify;

use clap::Subcommand;

use super::Exit;

/// The audit log: who changed what.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    List(list::List),
    Verify(verify::Verify),
}

impl Audit {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Audit::List(command) => command.run().await,
            Audit::Verify(command) => command.run().await,
        }
    }
}
