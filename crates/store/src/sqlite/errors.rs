//! What SQLite's errors mean to a caller.

use rusqlite::ErrorCode;

use crate::error::StoreError;
use crate::sql::SqlError;

/// An error while the database is opened.
pub(super) fn on_open(error: rusqlite::Error) -> StoreError {
    StoreError::CannotOpen(format!("cannot open the database: {error}"))
}

/// An error of a statement before its transaction was committed: nothing has been written.
pub(super) fn on_statement(error: rusqlite::Error) -> SqlError {
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => SqlError::Constraint(message),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged(message).into()
        }
        Some(ErrorCode::OperationInterrupted) => {
            StoreError::Unavailable("a read took too long".to_owned()).into()
        }
        _ => StoreError::Unavailable(message).into(),
    }
}

/// An error of a commit. A failed sync leaves open what reached the disk, and must never be tried
/// again as if nothing had happened.
pub(super) fn on_commit(error: rusqlite::Error) -> StoreError {
    StoreError::OutcomeUnknown(error.to_string())
}
