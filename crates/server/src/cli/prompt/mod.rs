mod file;
mod list;
mod render;
mod show;
mod test;

use clap::Subcommand;

use super::Exit;

/// Prompt files: what language models are asked, with typed inputs.
#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    List(list::List),
    Show(show::Show),
    Render(render::Render),
    Test(test::Test),
}

impl Prompt {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Prompt::List(command) => command.run().await,
            Prompt::Show(command) => command.run().await,
            Prompt::Render(command) => command.run().await,
            Prompt::Test(command) => command.run().await,
        }
    }
}
