use std::path::PathBuf;

use clap::Args;
use windlass_engine::clock::Clock;

use super::Which;
use crate::cli::{Exit, exit};

/// Writes a copy of a database to one file, also while a server uses it.
///
/// The copy is of one moment, and is an SQLite database whatever the original is. As `windlass.db`
/// in an otherwise empty data directory it can be used at once.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file. It must not exist.
    file: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        self.which.place()?.back_up(&self.file, Clock::new().now())?;
        exit::message(&format!("backed up to `{}`", self.file.display()));
        Ok(Exit::Ok)
    }
}
