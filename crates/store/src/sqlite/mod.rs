//! The embedded database: one connection that writes, a few that read, one process that owns the
//! directory.
//!
//! A commit is durable when it returns (`synchronous=FULL`, WAL). The log of the WAL is folded into
//! the database in quiet moments, or when it has grown too large, and never between a commit and
//! its acknowledgement.

mod backup;
mod connection;
mod dialect;
mod errors;
mod readers;
mod space;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::{OpenFlags, TransactionBehavior};
use windlass_core::Time;

use crate::blobs::{BlobPlace, Blobs};
use crate::error::StoreError;
use crate::lock::DirectoryLock;
use crate::rows::Spent;
use crate::sql::{Driver, SqlError, SqlStore, migrate};
use crate::store::Store;
pub(crate) use backup::{back_up, bring_in};
use connection::{Session, SqliteConnection};
use errors::{on_commit, on_open, on_statement};
use readers::Readers;

/// Earlier versions can corrupt a database when its WAL is reset.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Pages of the WAL that are worth folding back in a quiet moment: 1 MiB.
const WAL_PAGES_QUIET: i64 = 256;
/// Pages of the WAL past which the next writer folds them back itself: 32 MiB.
const WAL_PAGES_MAX: i64 = 8_192;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The directory. It is created if it is missing, and belongs to this process alone.
    pub directory: PathBuf,
    /// Where values are kept that are too large for a row.
    pub blobs: BlobPlace,
    /// How many reads may go on at the same time.
    pub reader_count: usize,
    /// How long a read may take before it is given up. A long read keeps the WAL from being folded
    /// back.
    pub read_time_max: Duration,
    /// The largest size of the database, in bytes, without the files of large values; `None` for as
    /// much as the disk has. Past it, writes are refused as on a full disk.
    pub size_max: Option<u64>,
}

impl SqliteOptions {
    /// The usual settings for a directory.
    pub fn at(directory: impl Into<PathBuf>) -> SqliteOptions {
        let directory = directory.into();
        SqliteOptions {
            blobs: directory.join("blobs").into(),
            directory,
            reader_count: 4,
            read_time_max: Duration::from_secs(5),
            size_max: None,
        }
    }
}

/// The driver for SQLite.
pub(crate) struct Sqlite {
    writer: Mutex<SqliteConnection>,
    spent: Mutex<Spent>,
    readers: Readers,
    blobs: Blobs,
    _lock: DirectoryLock,
}

impl SqliteOptions {
    /// Opens the database, creating what is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if another process has the directory, the disk refuses, the
    /// database was written by a newer version, or the service for large values does not let us do
    /// all we need.
    pub fn open(&self, now: Time) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(SqlStore(self.driver(now)?)))
    }

    /// Writes the whole database anew, as small as it can be, which takes as much space again as it
    /// has. Only needed for a large one that was made before databases gave back the space of what was
    /// deleted: from then on, this one does as well.
    ///
    /// # Errors
    ///
    /// Like [`SqliteOptions::open`]; and if there is no space.
    pub fn compact(&self, now: Time) -> Result<(), StoreError> {
        self.driver(now)?.writer.lock().rewrite().map_err(|error| on_statement(error).into())
    }

    pub(crate) fn driver(&self, now: Time) -> Result<Sqlite, StoreError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            let message = format!("SQLite {} is too old to be trusted", rusqlite::version());
            return Err(StoreError::CannotOpen(message));
        }
        let cannot_create = |error: std::io::Error| {
            let directory = self.directory.display();
            StoreError::CannotOpen(format!("cannot create `{directory}`: {error}"))
        };
        std::fs::create_dir_all(&self.directory).map_err(cannot_create)?;
        let lock = DirectoryLock::take(&self.directory)?;
        let blobs = Blobs::open(&self.blobs)?;
        let file = self.directory.join("windlass.db");
        let writer = open_writer(&file)?;
        let migrated = in_transaction(&writer, &mut Spent::default(), |connection| {
            migrate::migrate(connection, str::to_owned, now.micros())
        });
        migrated?;
        if let Err(error) = writer.make_small() {
            tracing::warn!(%error, "the database could not be compacted");
        }
        if let Some(size_max) = self.size_max {
            writer.limit_size(size_max).map_err(on_open)?;
        }
        let readers = Readers::open(&file, self)?;
        let (writer, spent) = (Mutex::new(writer), Mutex::default());
        Ok(Sqlite { writer, spent, readers, blobs, _lock: lock })
    }
}

fn open_writer(file: &Path) -> Result<SqliteConnection, StoreError> {
    let connection = rusqlite::Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(on_open)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(on_open)?;
    for (name, value) in [
        // Comes first, since a file is made so or not at all. See `space`.
        ("auto_vacuum", "INCREMENTAL"),
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        // Folding the WAL back is our own business, see `Driver::tidy`.
        ("wal_autocheckpoint", "0"),
        ("journal_size_limit", "67108864"),
        ("cache_size", "-4000"),
        ("temp_store", "MEMORY"),
        ("foreign_keys", "OFF"),
    ] {
        connection.pragma_update(None, name, value).map_err(on_open)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(SqliteConnection::new(connection))
}

fn in_transaction<T>(
    connection: &SqliteConnection,
    spent: &mut Spent,
    work: impl FnOnce(&mut Session<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let begin = Instant::now();
    connection.begin(TransactionBehavior::Immediate).map_err(on_statement)?;
    let result = work(&mut connection.session());
    let written = Instant::now();
    spent.transaction_count += 1;
    spent.rows += written - begin;
    match result {
        Ok(value) => match connection.commit() {
            Ok(()) => {
                spent.sync += written.elapsed();
                Ok(value)
            }
            Err(error) => {
                connection.roll_back();
                Err(on_commit(error).into())
            }
        },
        Err(error) => {
            connection.roll_back();
            Err(error)
        }
    }
}

impl Driver for Sqlite {
    type Connection<'a> = Session<'a>;

    fn read<T>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.readers.with(work)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let writer = self.writer.lock();
        let mut spent = self.spent();
        if writer.wal_pages().map_err(on_statement)? > WAL_PAGES_MAX {
            let begin = Instant::now();
            writer.fold_wal().map_err(on_statement)?;
            spent.tidy += begin.elapsed();
        }
        let result = in_transaction(&writer, &mut spent, work);
        *self.spent.lock() = spent;
        result
    }

    fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn spent(&self) -> Spent {
        *self.spent.lock()
    }

    fn tidy(&self) -> Result<bool, StoreError> {
        let writer = self.writer.lock();
        let has_more = writer.merge_words().map_err(on_statement)? | writer.give_back()?;
        if has_more || writer.wal_pages().map_err(on_statement)? > WAL_PAGES_QUIET {
            writer.fold_wal().map_err(on_statement)?;
        }
        Ok(has_more)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        let _ = self.writer.lock().fold_wal();
    }
}
