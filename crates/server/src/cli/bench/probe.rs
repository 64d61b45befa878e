//! What the machine does by itself: the limits that everything durable runs into.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long each probe runs.
const TIME: Duration = Duration::from_millis(600);
/// Rows of one transaction.
const ROWS: i64 = 1_000;

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Appends of 4 KiB made durable, a second.
    pub(super) syncs: f64,
    /// Rows written by a bare SQLite, 1,000 to a transaction, `synchronous=FULL`, a second.
    pub(super) rows: f64,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine: {:.0} fsync/s, {:.0} rows/s", self.syncs, self.rows)
    }
}

/// Asks the disk and a bare SQLite.
pub(super) fn run(directory: &Path) -> anyhow::Result<Probe> {
    Ok(Probe { syncs: syncs(directory)?, rows: rows(directory)? })
}

fn syncs(directory: &Path) -> anyhow::Result<f64> {
    let mut file = std::fs::File::create(directory.join("sync"))?;
    let (began, mut count) = (Instant::now(), 0.0);
    while began.elapsed() < TIME {
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        count += 1.0;
    }
    Ok(count / began.elapsed().as_secs_f64())
}

fn rows(directory: &Path) -> anyhow::Result<f64> {
    let mut connection = rusqlite::Connection::open(directory.join("rows.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE probe (id INTEGER PRIMARY KEY, a TEXT, b INTEGER)", [])?;
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO probe (a, b) VALUES (?1, ?2)")?;
            for row in 0..ROWS {
                insert.execute(("some text of a usual length", count + row))?;
            }
        }
        transaction.commit()?;
        count += ROWS;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
