use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;

use super::errors::on_open;
use crate::error::StoreError;

/// Writes a copy of a directory's database, as it is at one moment. Its owner may go on writing;
/// only the WAL grows until the copy is done.
pub(crate) fn back_up(directory: &Path, file: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(directory.join("windlass.db"), flags)
        .map_err(on_open)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(on_open)?;
    let target = file.to_str().ok_or_else(|| {
        StoreError::CannotOpen(format!("`{}` is no name for a backup", file.display()))
    })?;
    connection
        .execute("VACUUM INTO ?1", [target])
        .map(|_| ())
        .map_err(|error| StoreError::CannotOpen(format!("cannot write the backup: {error}")))
}
