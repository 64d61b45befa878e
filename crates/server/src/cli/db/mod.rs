mod backup;
mod check;
mod compact;
mod migrate;
mod relocate;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use windlass_store::{Place, TableCount};

use super::{Exit, output};
use crate::config::{Config, Flags, load};
use crate::database;

/// The database as a whole: schema, state, copies.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    Migrate(migrate::Migrate),
    Check(check::Check),
    Compact(compact::Compact),
    Backup(backup::Backup),
    #[command(name = "move")]
    Move(relocate::Move),
}

impl Db {
    /// These wait for a database, so they are done where waiting is allowed.
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let done = tokio::task::spawn_blocking(move || match self {
            Db::Migrate(command) => command.run(),
            Db::Check(command) => command.run(),
            Db::Compact(command) => command.run(),
            Db::Backup(command) => command.run(),
            Db::Move(command) => command.run(),
        });
        done.await?
    }
}

/// Which database.
#[derive(Debug, Args)]
struct Which {
    /// A file with settings. Left out: `windlass.toml`, if there is one.
    #[arg(long, value_name = "FILE", env = "WINDLASS_CONFIG")]
    config: Option<PathBuf>,
    /// The data directory.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The Postgres database (`postgres://user@host/name`). Left out: SQLite, in the data directory.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Which {
    fn config(&self) -> anyhow::Result<Config> {
        let (config, data) = (self.config.clone(), self.data.clone());
        let flags = Flags { config, data, database: self.database.clone(), ..Flags::default() };
        Ok(load(&flags)?.config)
    }

    fn place(&self) -> anyhow::Result<Place> {
        database::place(&self.config()?.store)
    }
}

fn print(tables: &[TableCount]) {
    let row = |table: &TableCount| vec![table.table.clone(), table.rows.to_string()];
    output::table(&["TABLE", "ROWS"], &tables.iter().map(row).collect::<Vec<_>>());
}
