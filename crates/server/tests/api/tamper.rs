//! What somebody does who has the database and should not.

use std::path::Path;

/// Writes another name into a record of the audit log.
pub(crate) fn alter_audit(directory: &Path, seq: i64) {
    let database = rusqlite::Connection::open(directory.join("windlass.db")).unwrap();
    let changed = database.execute("UPDATE audit SET principal = 'key:eve' WHERE seq = ?1", [seq]);
    assert_eq!(changed.unwrap(), 1);
}
