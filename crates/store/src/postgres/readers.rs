//! Connections that read. Each read sees one state of the database and has a time limit.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::PostgresOptions;
use super::connection::{PgConnection, Session};
use super::door::{Door, Role};
use crate::error::StoreError;

pub(super) struct Readers {
    door: Arc<Door>,
    /// A place for each read that may go on, with a connection once it was needed.
    idle: Mutex<Vec<Option<PgConnection>>>,
    returned: Condvar,
    time_max: Duration,
}

impl Readers {
    pub(super) fn new(door: Arc<Door>, options: &PostgresOptions) -> Readers {
        let places = (0..options.reader_count.max(1)).map(|_| None).collect();
        let (idle, returned) = (Mutex::new(places), Condvar::new());
        Readers { door, idle, returned, time_max: options.read_time_max }
    }

    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut place = Place { readers: self, connection: self.take()? };
        let connection = match place.connection.take().filter(PgConnection::is_usable) {
            Some(connection) => connection,
            None => self.door.open_again(Role::Reader)?,
        };
        let connection = place.connection.insert(connection);
        connection.say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        let result = work(&mut connection.session());
        connection.roll_back();
        result
    }

    fn take(&self) -> Result<Option<PgConnection>, StoreError> {
        let mut idle = self.idle.lock();
        loop {
            // One that is connected already is taken first.
            let connected = idle.iter().rposition(Option::is_some);
            if let Some(place) = connected.or_else(|| idle.len().checked_sub(1)) {
                return Ok(idle.swap_remove(place));
            }
            if self.returned.wait_for(&mut idle, self.time_max).timed_out() {
                return Err(StoreError::Unavailable("too many reads at once".to_owned()));
            }
        }
    }
}

/// The place of a read that goes on. It is given back however the read ends.
struct Place<'a> {
    readers: &'a Readers,
    connection: Option<PgConnection>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.readers.idle.lock().push(self.connection.take());
        self.readers.returned.notify_one();
    }
}
