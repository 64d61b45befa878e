mod list;
mod show;

use clap::Subcommand;

use super::Exit;

/// Queues: what waits for workers and actors.
#[derive(Debug, Subcommand)]
pub(crate) enum Queue {
    List(list::List),
    Show(show::Show),
}

impl Queue {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Queue::List(command) => command.run().await,
            Queue::Show(command) => command.run().await,
        }
    }
}
