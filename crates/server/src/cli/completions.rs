use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit};

/// Prints a completion script for a shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        clap_complete::generate(
            self.shell,
            &mut Cli::command(),
            "windlass",
            &mut std::io::stdout(),
        );
        Ok(Exit::Ok)
    }
}
