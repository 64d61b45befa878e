use clap::Args;
use windlass_engine::clock::Clock;

use super::{Which, print};
use crate::cli::{Exit, exit};
use crate::database;

/// Copies everything to another database, from where a server can go on with it.
///
/// The target must be empty, and no server may use either of them. The source stays as it is: do
/// not start a server on it again, or what waits happens twice.
#[derive(Debug, Args)]
pub(crate) struct Move {
    /// Where to: `postgres://user@host/name`, or a data directory.
    #[arg(long, value_name = "URL|DIR")]
    to: String,
    #[command(flatten)]
    which: Which,
}

impl Move {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let section = self.which.config()?.store;
        let (source, target) = (database::place(&section)?, database::named(&section, &self.to)?);
        let tables = source.move_to(&target, Clock::new().now())?;
        print(&tables);
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        exit::message(&format!("{rows} rows are in `{}` now", windlass_store::masked(&self.to)));
        Ok(Exit::Ok)
    }
}
