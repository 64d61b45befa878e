mod add;
mod history;
mod list;
mod show;

use clap::Subcommand;

use super::Exit;

/// Units of work.
#[derive(Debug, Subcommand)]
pub(crate) enum Uow {
    Add(add::Add),
    List(list::List),
    Show(show::Show),
    History(history::History),
}

impl Uow {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Uow::Add(command) => command.run().await,
            Uow::List(command) => command.run().await,
            Uow::Show(command) => command.run().await,
            Uow::History(command) => command.run().await,
        }
    }
}
