mod delete;
mod deploy;
mod execute;
mod list;
mod pause;
mod rerun_failed;
mod resume;
mod show;

use clap::Subcommand;

use super::Exit;

/// Workflows: names with versions.
#[derive(Debug, Subcommand)]
pub(crate) enum Workflow {
    List(list::List),
    Show(show::Show),
    Deploy(deploy::Deploy),
    Execute(execute::Execute),
    Delete(delete::Delete),
    Pause(pause::Pause),
    Resume(resume::Resume),
    RerunFailed(rerun_failed::RerunFailed),
}

impl Workflow {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Workflow::List(command) => command.run().await,
            Workflow::Show(command) => command.run().await,
            Workflow::Deploy(command) => command.run().await,
            Workflow::Execute(command) => command.run().await,
            Workflow::Delete(command) => command.run().await,
            Workflow::Pause(command) => command.run().await,
            Workflow::Resume(command) => command.run().await,
            Workflow::RerunFailed(command) => command.run().await,
        }
    }
}
