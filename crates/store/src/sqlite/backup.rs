use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;

use super::errors::on_open;
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::sql::blobs::resolved;

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

/// Puts the texts of files back into the rows that name them, so that one file is all there is.
/// Nobody else may use the database meanwhile, and it is not yet durable afterwards.
pub(crate) fn bring_in(file: &Path, blobs: &Blobs) -> Result<(), StoreError> {
    let cannot = |error: rusqlite::Error| {
        StoreError::CannotOpen(format!("cannot write the backup: {error}"))
    };
    let mut connection = rusqlite::Connection::open(file).map_err(cannot)?;
    // A database of an older version has no files.
    if !connection.table_exists(None, "blob_ref").map_err(cannot)? {
        return Ok(());
    }
    for (name, value) in [("journal_mode", "MEMORY"), ("synchronous", "OFF")] {
        connection.pragma_update(None, name, value).map_err(cannot)?;
    }
    let transaction = connection.transaction().map_err(cannot)?;
    let rows: Vec<(i64, String)> = transaction
        .prepare(
            "SELECT rowid, body FROM journal
              WHERE run_id IN (SELECT run_id FROM blob_ref) AND substr(body, 1, 1) = '{'",
        )
        .and_then(|mut statement| {
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .map_err(cannot)?;
    for (row, reference) in rows {
        let body = resolved(blobs, reference)?;
        transaction
            .execute("UPDATE journal SET body = ?1 WHERE rowid = ?2", (&body, row))
            .map_err(cannot)?;
    }
    transaction.execute("DELETE FROM blob_ref", []).map_err(cannot)?;
    transaction.commit().map_err(cannot)
}
