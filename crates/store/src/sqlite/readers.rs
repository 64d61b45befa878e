//! Connections that read. Each read sees one state of the database and has a time limit, because
//! while it lasts the WAL cannot be folded back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rusqlite::{OpenFlags, TransactionBehavior};

use super::SqliteOptions;
use super::connection::{Session, SqliteConnection};
use super::errors::{on_open, on_statement};
use crate::error::StoreError;

/// How many steps of SQLite's machine lie between two looks at the clock.
const STEPS_BETWEEN_LOOKS: i32 = 20_000;

pub(super) struct Readers {
    idle: Mutex<Vec<Reader>>,
    returned: Condvar,
    time_max: Duration,
    start: Instant,
}

struct Reader {
    connection: SqliteConnection,
    /// Milliseconds from `start` on after which a read is given up.
    deadline_ms: Arc<AtomicU64>,
}

impl Readers {
    pub(super) fn open(file: &Path, options: &SqliteOptions) -> Result<Readers, StoreError> {
        let start = Instant::now();
        let readers = (0..options.reader_count.max(1)).map(|_| open_reader(file, start));
        Ok(Readers {
            idle: Mutex::new(readers.collect::<Result<_, _>>()?),
            returned: Condvar::new(),
            time_max: options.read_time_max,
            start,
        })
    }

    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let reader = self.take()?;
        let deadline = self.start.elapsed() + self.time_max;
        let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
        reader.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        let connection = &reader.connection;
        let result = match connection.begin(TransactionBehavior::Deferred) {
            Ok(()) => work(&mut connection.session()),
            Err(error) => Err(on_statement(error).into()),
        };
        connection.roll_back();
        self.idle.lock().push(reader);
        self.returned.notify_one();
        result
    }

    fn take(&self) -> Result<Reader, StoreError> {
        let mut idle = self.idle.lock();
        loop {
            if let Some(reader) = idle.pop() {
                return Ok(reader);
            }
            if self.returned.wait_for(&mut idle, self.time_max).timed_out() {
                return Err(StoreError::Unavailable("too many reads at once".to_owned()));
            }
        }
    }
}

fn open_reader(file: &Path, start: Instant) -> Result<Reader, StoreError> {
    let mut connection = rusqlite::Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(on_open)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(on_open)?;
    for (name, value) in [("query_only", "ON"), ("cache_size", "-2000"), ("temp_store", "MEMORY")] {
        connection.pragma_update(None, name, value).map_err(on_open)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    let deadline_ms = Arc::new(AtomicU64::new(u64::MAX));
    let deadline = deadline_ms.clone();
    let is_late =
        move || start.elapsed().as_millis() > u128::from(deadline.load(Ordering::Relaxed));
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(is_late)).map_err(on_open)?;
    Ok(Reader { connection: SqliteConnection::new(connection), deadline_ms })
}
