mod send;

use clap::Subcommand;

use super::Exit;

/// Events from outside that steps wait for.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    Send(send::Send),
}

impl Event {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Event::Send(command) => command.run().await,
        }
    }
}
