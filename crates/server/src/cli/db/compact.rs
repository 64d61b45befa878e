use std::path::Path;

use clap::Args;
use windlass_engine::clock::Clock;
use windlass_store::Place;

use super::Which;
use crate::cli::{Exit, Usage, exit};

/// Writes an SQLite database anew, as small as it can be.
///
/// Only needed once, for one of more than 128 MiB that an early version has made: any other gives back by
/// itself what was deleted. No server may use it meanwhile. It takes the space of the new database twice
/// more until it is done: in the directory of temporary files (`TMPDIR`), and beside the old one.
#[derive(Debug, Args)]
pub(crate) struct Compact {
    #[command(flatten)]
    which: Which,
}

impl Compact {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let place = self.which.place()?;
        let Place::Sqlite(options) = &place else {
            let message = "Postgres sees to its space by itself; only SQLite can be compacted";
            return Err(Usage(message.to_owned()).into());
        };
        let directory = options.directory.clone();
        let before = size(&directory);
        place.compact(Clock::new().now())?;
        let after = size(&directory);
        exit::message(&format!("the database had {before:.1} MiB and has {after:.1} MiB now"));
        Ok(Exit::Ok)
    }
}

/// How large a database is, in MiB, with its log, where what was written last may still be.
fn size(directory: &Path) -> f64 {
    let files = ["windlass.db", "windlass.db-wal"].map(|name| directory.join(name));
    let sizes = files.iter().filter_map(|file| file.metadata().ok());
    sizes.map(|found| found.len() as f64 / 1_048_576.0).sum()
}
