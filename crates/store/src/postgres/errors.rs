//! What Postgres' errors mean to a caller.

use std::error::Error as _;

use tokio_postgres::Error;

use crate::error::StoreError;
use crate::sql::SqlError;

/// An error of a statement before its transaction was committed: nothing has been written.
pub(super) fn on_statement(error: &Error) -> SqlError {
    let message = message(error);
    let Some(database) = error.as_db_error() else {
        return StoreError::Unavailable(message).into();
    };
    let code = database.code().code();
    match (&code[..2], code) {
        // A rule broken, a value out of range, an index entry too large: it will fail again.
        ("22" | "23" | "54", _) => SqlError::Constraint(message),
        ("42" | "XX", _) => StoreError::Damaged(message).into(),
        // What opens a read is sent along with its first statement. If the time was up before that,
        // the statement only hears that its transaction is over.
        (_, "57014" | "25P02") => StoreError::Unavailable("a read took too long".to_owned()).into(),
        _ => StoreError::Unavailable(message).into(),
    }
}

/// An error of a commit. Nobody knows whether it was done before the error or not.
pub(super) fn on_commit(error: &Error) -> StoreError {
    StoreError::OutcomeUnknown(message(error))
}

/// Whether the connection is of no use any more: it is broken, or leads to a database that takes
/// no writes.
pub(super) fn ends_connection(error: &Error) -> bool {
    match error.as_db_error() {
        None => true,
        Some(database) => {
            let code = database.code().code();
            code.starts_with("57P") || code.starts_with("08") || code == "25006"
        }
    }
}

/// What has happened, for people. Values of ours are not in it.
pub(super) fn message(error: &Error) -> String {
    if let Some(database) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", database.message(), database.code().code());
    }
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
