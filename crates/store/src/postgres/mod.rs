//! A database server beside us: one connection that writes, a few that read.
//!
//! One windlass process at a time owns the database, by a lock that ends with its connection. Every
//! transaction that writes holds a second lock, so none comes between another, and proves its
//! epoch: a process that was paused and taken for dead writes nothing after it was replaced.
//!
//! A connection that is lost is made anew when it is next needed, with a growing wait after each
//! failure. What was being written then has an unknown outcome, and what was not is refused.

mod address;
mod column;
mod connection;
mod dialect;
mod door;
mod errors;
mod readers;
mod tls;

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windlass_core::Time;

use crate::blobs::{BlobPlace, Blobs};
use crate::error::StoreError;
use crate::rows::Spent;
use crate::sql::{Driver, SqlError, SqlStore, migrate};
use crate::store::Store;
pub use address::masked;
use connection::{PgConnection, Session};
use door::{Door, Role};
use readers::Readers;

/// How to open a database on a server.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Where it is: `postgres://user:password@host:port/name`, with `sslmode` and `sslrootcert` as
    /// Postgres' own programs know them.
    pub url: String,
    /// Where values are kept that are too large for a row.
    pub blobs: BlobPlace,
    /// How many reads may go on at the same time.
    pub reader_count: usize,
    /// How long a read may take before it is given up.
    pub read_time_max: Duration,
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions").field("url", &masked(&self.url)).finish_non_exhaustive()
    }
}

/// The driver for Postgres.
pub(crate) struct Postgres {
    door: Arc<Door>,
    writer: Arc<Mutex<Option<PgConnection>>>,
    readers: Readers,
    spent: Mutex<Spent>,
    blobs: Blobs,
}

impl PostgresOptions {
    /// The usual settings for an address and a place for large values.
    pub fn at(url: impl Into<String>, blobs: impl Into<BlobPlace>) -> PostgresOptions {
        let (reader_count, read_time_max) = (4, Duration::from_secs(5));
        PostgresOptions { url: url.into(), blobs: blobs.into(), reader_count, read_time_max }
    }

    /// Opens the database, creating what is missing.
    ///
    /// # Errors
    ///
    /// [`StoreError::CannotOpen`] if the address is wrong, the server does not answer, is not the
    /// primary, or acknowledges before it is durable, if another process has the database, if the
    /// database was written by a newer version, or if the service for large values does not let us
    /// do all we need. No message has the password in it.
    pub fn open(&self, now: Time) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(SqlStore(self.driver(now)?)))
    }

    pub(crate) fn driver(&self, now: Time) -> Result<Postgres, StoreError> {
        let (lost, ends) = mpsc::channel();
        let door = Arc::new(Door::new(self, lost)?);
        let mut writer = door.open(Role::Writer).map_err(cannot_open)?;
        door.own(&mut writer)?;
        let blobs = Blobs::open(&self.blobs)?;
        let migrated = in_transaction(&mut writer, &mut Spent::default(), |session| {
            migrate::migrate(session, dialect::schema, now.micros())
        });
        migrated.map_err(|error| cannot_open(error.into()))?;
        let readers = Readers::new(door.clone(), self);
        let (writer, spent) = (Arc::new(Mutex::new(Some(writer))), Mutex::default());
        watch(&door, &writer, ends)?;
        Ok(Postgres { door, writer, readers, spent, blobs })
    }

    /// For reading alone, also while another process has the database.
    pub(crate) fn looker(&self) -> Result<Postgres, StoreError> {
        let door = Arc::new(Door::new(self, mpsc::channel().0)?);
        let readers = Readers::new(door.clone(), self);
        let (writer, spent) = (Arc::default(), Mutex::default());
        let blobs = Blobs::at(&self.blobs)?;
        let looker = Postgres { door, writer, readers, spent, blobs };
        let known = |session: &mut Session<'_>| Ok(migrate::must_be_known(session)?);
        looker.read(known).map_err(cannot_open)?;
        Ok(looker)
    }
}

/// Makes the writer's connection anew as soon as it has ended, and with it the lock that keeps other
/// processes out: a server with nothing to write would leave the database open to them.
fn watch(
    door: &Arc<Door>,
    writer: &Arc<Mutex<Option<PgConnection>>>,
    ends: mpsc::Receiver<()>,
) -> Result<(), StoreError> {
    let (door, writer) = (Arc::downgrade(door), Arc::downgrade(writer));
    let watching = move || {
        while let Ok(()) = ends.recv() {
            loop {
                let Some((door, writer)) = door.upgrade().zip(writer.upgrade()) else { return };
                let mut connection = writer.lock();
                if connection.as_ref().is_some_and(PgConnection::is_usable) {
                    break;
                }
                if let Ok(opened) = door.open_again(Role::Writer) {
                    *connection = Some(opened);
                    break;
                }
                drop(connection);
                drop((door, writer));
                std::thread::sleep(KNOCK_EVERY);
            }
        }
    };
    let started = std::thread::Builder::new().name("postgres-watch".into()).spawn(watching);
    let started = started.map(drop);
    started.map_err(|error| StoreError::CannotOpen(format!("cannot start a thread: {error}")))
}

/// How often it is seen whether the door may be knocked at again.
const KNOCK_EVERY: Duration = Duration::from_millis(50);

/// Whatever keeps a database from being opened is a reason not to start.
fn cannot_open(error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(message) | StoreError::Damaged(message) => {
            StoreError::CannotOpen(format!("cannot open the database: {message}"))
        }
        other => other,
    }
}

/// The lock lets one writer after the other in. It ends with the transaction.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(2003398252, 2)";

fn in_transaction<T>(
    connection: &mut PgConnection,
    spent: &mut Spent,
    work: impl FnOnce(&mut Session<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    let begin = Instant::now();
    connection.say(BEGIN);
    let result = work(&mut connection.session());
    let written = Instant::now();
    spent.transaction_count += 1;
    spent.rows += written - begin;
    match result {
        Ok(value) => {
            connection.commit()?;
            spent.sync += written.elapsed();
            Ok(value)
        }
        Err(error) => {
            connection.roll_back();
            Err(error)
        }
    }
}

impl Driver for Postgres {
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
        let mut writer = self.writer.lock();
        let mut connection = match writer.take().filter(PgConnection::is_usable) {
            Some(connection) => connection,
            None => self.door.open_again(Role::Writer)?,
        };
        let mut spent = self.spent();
        let result = in_transaction(&mut connection, &mut spent, work);
        *self.spent.lock() = spent;
        *writer = Some(connection);
        result
    }

    fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn spent(&self) -> Spent {
        *self.spent.lock()
    }

    fn tidy(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}
