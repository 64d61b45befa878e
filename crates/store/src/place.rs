//! Databases as a whole: looked through, copied, moved.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use windlass_core::Time;

use crate::access::Access;
use crate::audit::AuditVerdict;
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::postgres::PostgresOptions;
use crate::sql::{Connection, Driver, SqlStore, Statement, blobs, migrate, transfer};
use crate::sqlite::{self, SqliteOptions};
use crate::store::Store;

/// Where a database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a directory.
    Sqlite(SqliteOptions),
    /// On a server.
    Postgres(PostgresOptions),
}

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table.
    pub table: String,
    /// How many.
    pub rows: u64,
}

/// What a look through a database has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The newest migration.
    pub schema: i64,
    /// How many rows each table has.
    pub tables: Vec<TableCount>,
    /// What the database itself finds broken, for which Postgres is not asked, and large values
    /// that are missing or altered.
    pub broken: Vec<String>,
    /// Whether the audit log is as it was written.
    pub audit: AuditVerdict,
}

/// The newest migration of this version.
pub const SCHEMA: i64 = migrate::KNOWN;

/// Reading all of a large table takes its time, and nobody waits for the connection.
const READ_TIME_MAX: Duration = Duration::from_secs(24 * 3_600);

static INTEGRITY: Statement = Statement::new("PRAGMA integrity_check(20)");

impl Place {
    /// Opens the database, and brings it to the schema of this version.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if another process has it, or it cannot be used.
    pub fn open(&self, now: Time) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Place::Sqlite(options) => options.open(now),
            Place::Postgres(options) => options.open(now),
        }
    }

    /// Looks through the database.
    ///
    /// # Errors
    ///
    /// Like [`Place::open`]; and if there is none.
    pub fn inspect(&self, now: Time) -> Result<Inspection, StoreError> {
        self.must_exist()?;
        match self.patient() {
            Place::Sqlite(options) => {
                let store = SqlStore(options.driver(now)?);
                let broken = store.0.read(|connection| {
                    let mut lines = Vec::new();
                    connection.query(&INTEGRITY, &[], &mut |row| {
                        lines.extend(row.text(0)?.filter(|line| line != "ok"));
                        Ok(())
                    })?;
                    Ok(lines)
                })?;
                inspected(&store, broken)
            }
            Place::Postgres(options) => inspected(&SqlStore(options.driver(now)?), Vec::new()),
        }
    }

    /// Copies everything to another database, which must be empty, and answers what. The source
    /// stays as it is. No other process may use either of them meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if another process has one of the two, the source does not exist
    /// or the target is not empty. Then, and on any other error, the target stays empty.
    pub fn move_to(&self, target: &Place, now: Time) -> Result<Vec<TableCount>, StoreError> {
        self.must_exist()?;
        match (self.patient(), target.patient()) {
            (Place::Sqlite(source), Place::Sqlite(target)) => {
                relocate(&source.driver(now)?, &target.driver(now)?)
            }
            (Place::Sqlite(source), Place::Postgres(target)) => {
                relocate(&source.driver(now)?, &target.driver(now)?)
            }
            (Place::Postgres(source), Place::Sqlite(target)) => {
                relocate(&source.driver(now)?, &target.driver(now)?)
            }
            (Place::Postgres(source), Place::Postgres(target)) => {
                relocate(&source.driver(now)?, &target.driver(now)?)
            }
        }
    }

    /// Writes everything, as it is at one moment, to an SQLite database in one file. Values that are
    /// beside the database here are rows there. A server may use the database meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if there is such a file already, or no database.
    pub fn back_up(&self, file: &Path, now: Time) -> Result<(), StoreError> {
        self.must_exist()?;
        let cannot = |error: std::io::Error| {
            StoreError::CannotOpen(format!("cannot write `{}`: {error}", file.display()))
        };
        if file.exists() {
            return Err(cannot(std::io::ErrorKind::AlreadyExists.into()));
        }
        let mut name = file.as_os_str().to_owned();
        name.push(".part");
        let draft = PathBuf::from(name);
        // One that was left behind by a process that was killed.
        let _ = std::fs::remove_dir_all(&draft);
        std::fs::create_dir(&draft).map_err(cannot)?;
        let written = draft.join("windlass.db");
        let result = match self.patient() {
            Place::Sqlite(source) => sqlite::back_up(&source.directory, &written)
                .and_then(|()| sqlite::bring_in(&written, &Blobs::at(&source.blobs)?)),
            Place::Postgres(source) => {
                let target = SqliteOptions::at(&draft);
                source
                    .looker()
                    .and_then(|source| transfer::copy(&source, &target.driver(now)?).map(drop))
                    .and_then(|()| sqlite::bring_in(&written, &Blobs::at(&source.blobs)?))
            }
        };
        let result = result.and_then(|()| {
            // The name comes last: a file that has it is whole, and stays after a crash.
            File::open(&written).and_then(|file| file.sync_all()).map_err(cannot)?;
            std::fs::rename(&written, file).map_err(cannot)?;
            let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or_else(|| Path::new("."));
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(cannot)
        });
        let _ = std::fs::remove_dir_all(&draft);
        result
    }

    /// Writes an SQLite database anew, as small as it can be: see [`SqliteOptions::compact`]. A server
    /// sees to that by itself.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if another process has it, or there is none. On any error it stays as
    /// it is.
    pub fn compact(&self, now: Time) -> Result<(), StoreError> {
        self.must_exist()?;
        match self {
            Place::Sqlite(options) => options.compact(now),
            Place::Postgres(_) => Ok(()),
        }
    }

    fn must_exist(&self) -> Result<(), StoreError> {
        match self {
            Place::Sqlite(options) if !options.directory.join("windlass.db").is_file() => {
                let directory = options.directory.display();
                Err(StoreError::CannotOpen(format!("there is no database in `{directory}`")))
            }
            _ => Ok(()),
        }
    }

    fn patient(&self) -> Place {
        let mut place = self.clone();
        match &mut place {
            Place::Sqlite(options) => options.read_time_max = READ_TIME_MAX,
            Place::Postgres(options) => options.read_time_max = READ_TIME_MAX,
        }
        place
    }
}

/// The files come first: a database that names one never stands without it.
fn relocate<A: Driver, B: Driver>(source: &A, target: &B) -> Result<Vec<TableCount>, StoreError> {
    target.read(|connection| transfer::must_be_empty(connection))?;
    blobs::copy(source, target)?;
    transfer::copy(source, target)
}

fn inspected<D: Driver>(
    store: &SqlStore<D>,
    mut broken: Vec<String>,
) -> Result<Inspection, StoreError> {
    broken.extend(blobs::broken(&store.0)?);
    let tables = store.0.read(|connection| transfer::counts(connection))?;
    Ok(Inspection { schema: SCHEMA, tables, broken, audit: store.verify_audit()? })
}
