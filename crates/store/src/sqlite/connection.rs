use rusqlite::TransactionBehavior;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::errors::on_statement;
use crate::error::StoreError;
use crate::sql::{Connection, Row, SqlError, Statement, Value};

/// A connection that keeps its statements prepared.
pub(crate) struct SqliteConnection {
    inner: rusqlite::Connection,
}

impl SqliteConnection {
    pub(super) fn new(inner: rusqlite::Connection) -> SqliteConnection {
        SqliteConnection { inner }
    }

    pub(super) fn begin(&mut self, behavior: TransactionBehavior) -> rusqlite::Result<()> {
        self.run(match behavior {
            TransactionBehavior::Immediate => "BEGIN IMMEDIATE",
            _ => "BEGIN",
        })
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.run("COMMIT")
    }

    /// Ends the transaction, if SQLite has not already done so because of the error that led here.
    pub(super) fn roll_back(&mut self) {
        if !self.inner.is_autocommit() {
            let _ = self.run("ROLLBACK");
        }
    }

    /// How many pages of the WAL are not folded back.
    pub(super) fn wal_pages(&mut self) -> rusqlite::Result<i64> {
        let mut statement = self.inner.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        statement.query_row([], |row| {
            let (all, folded): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(all - folded.max(0).min(all))
        })
    }

    /// Folds the WAL back as far as no reader needs it.
    pub(super) fn fold_wal(&mut self) -> rusqlite::Result<()> {
        let mut statement = self.inner.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
        statement.query_row([], |_| Ok(()))
    }

    pub(super) fn limit_size(&mut self, bytes: u64) -> rusqlite::Result<()> {
        let page_size: i64 = self.inner.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page_size.max(1);
        self.inner.pragma_update(None, "max_page_count", pages)
    }

    fn run(&mut self, text: &str) -> rusqlite::Result<()> {
        self.inner.prepare_cached(text)?.raw_execute().map(|_| ())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Int(value) => ValueRef::Integer(*value),
            Value::Null => ValueRef::Null,
        }))
    }
}

impl Connection for SqliteConnection {
    fn execute(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<usize, SqlError> {
        let mut prepared = self.inner.prepare_cached(statement.numbered()).map_err(on_statement)?;
        for (index, value) in values.iter().enumerate() {
            prepared.raw_bind_parameter(index + 1, value).map_err(on_statement)?;
        }
        prepared.raw_execute().map_err(on_statement)
    }

    fn query(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let mut prepared = self.inner.prepare_cached(statement.numbered()).map_err(on_statement)?;
        for (index, value) in values.iter().enumerate() {
            prepared.raw_bind_parameter(index + 1, value).map_err(on_statement)?;
        }
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next().map_err(on_statement)? {
            each(&SqliteRow(row))?;
        }
        Ok(())
    }
}

struct SqliteRow<'a>(&'a rusqlite::Row<'a>);

impl Row for SqliteRow<'_> {
    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.0.get(column).map_err(|error| StoreError::Damaged(error.to_string()))
    }

    fn int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.0.get(column).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}
