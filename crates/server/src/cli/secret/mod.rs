mod delete;
mod list;
mod rotate;
mod set;

use clap::Subcommand;

use super::Exit;

/// Secrets: what steps may use and nobody may see.
#[derive(Debug, Subcommand)]
pub(crate) enum Secret {
    Set(set::Set),
    List(list::List),
    Delete(delete::Delete),
    Rotate(rotate::Rotate),
}

impl Secret {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Secret::Set(command) => command.run().await,
            Secret::List(command) => command.run().await,
            Secret::Delete(command) => command.run().await,
            Secret::Rotate(command) => command.run().await,
        }
    }
}
