//! What somebody does who has the database and should not.

use std::path::Path;

/// Writes another name into a record of the audit log.
pub(crate) fn alter_audit(directory: &Path, seq: i64) {
    let database = rusqlite::Connection::open(directory.join("windlass.db")).unwrap();
    let changed = database.execute("UPDATE audit SET principal = 'key:eve' WHERE seq = ?1", [seq]);
    assert_eq!(changed.unwrap(), 1);
}

/// Says of the step of a run that it was cancelled, in its row and not in the journal. Answers the
/// run's id.
pub(crate) fn alter_step(directory: &Path, path: &str) -> String {
    let database = rusqlite::Connection::open(directory.join("windlass.db")).unwrap();
    let alter = "UPDATE step SET status = 'cancelled' WHERE path = ?1 RETURNING run_id";
    database.query_row(alter, [path], |row| row.get(0)).unwrap()
}
