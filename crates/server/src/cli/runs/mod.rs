mod cancel;
mod export;
mod import;
mod list;
mod logs;
mod mark;
pub(super) mod pages;
mod pause;
mod rerun;
mod resume;
mod show;
mod signal;
mod terminate;
pub(super) mod watch;
mod why;

pub(super) use signal::text_or_json;

use clap::Subcommand;

use super::Exit;

/// Runs: executions of workflows.
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
    Logs(logs::Logs),
    Mark(mark::Mark),
    Signal(signal::Signal),
    Cancel(cancel::Cancel),
    Terminate(terminate::Terminate),
    Rerun(rerun::Rerun),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Why(why::Why),
    Export(export::Export),
    Import(import::Import),
}

impl Runs {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Runs::List(command) => command.run().await,
            Runs::Show(command) => command.run().await,
            Runs::Watch(command) => command.run().await,
            Runs::Logs(command) => command.run().await,
            Runs::Mark(command) => command.run().await,
            Runs::Signal(command) => command.run().await,
            Runs::Cancel(command) => command.run().await,
            Runs::Terminate(command) => command.run().await,
            Runs::Rerun(command) => command.run().await,
            Runs::Pause(command) => command.run().await,
            Runs::Resume(command) => command.run().await,
            Runs::Why(command) => command.run().await,
            Runs::Export(command) => command.run().await,
            Runs::Import(command) => command.run().await,
        }
    }
}
