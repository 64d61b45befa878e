mod create;
mod list;
mod revoke;

use clap::Subcommand;

use super::Exit;

/// Keys: who may call the server.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    Create(create::Create),
    List(list::List),
    Revoke(revoke::Revoke),
}

impl Key {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Key::Create(command) => command.run().await,
            Key::List(command) => command.run().await,
            Key::Revoke(command) => command.run().await,
        }
    }
}
