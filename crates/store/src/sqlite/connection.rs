use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, TransactionBehavior};

use super::dialect;
use super::errors::on_statement;
use crate::error::StoreError;
use crate::sql::{Connection, LineDialect, Row, SqlError, Statement, Value};

/// A connection that keeps its statements prepared.
pub(crate) struct SqliteConnection {
    inner: rusqlite::Connection,
}

impl SqliteConnection {
    pub(super) fn new(inner: rusqlite::Connection) -> SqliteConnection {
        SqliteConnection { inner }
    }

    /// The connection for one transaction.
    pub(super) fn session(&self) -> Session<'_> {
        Session { inner: &self.inner, at_hand: Vec::new() }
    }

    pub(super) fn begin(&self, behavior: TransactionBehavior) -> rusqlite::Result<()> {
        self.run(match behavior {
            TransactionBehavior::Immediate => "BEGIN IMMEDIATE",
            _ => "BEGIN",
        })
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.run("COMMIT")
    }

    /// Ends the transaction, if SQLite has not already done so because of the error that led here.
    pub(super) fn roll_back(&self) {
        if !self.inner.is_autocommit() {
            let _ = self.run("ROLLBACK");
        }
    }

    /// How many pages of the WAL are not folded back.
    pub(super) fn wal_pages(&self) -> rusqlite::Result<i64> {
        let mut statement = self.inner.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?;
        statement.query_row([], |row| {
            let (all, folded): (i64, i64) = (row.get(1)?, row.get(2)?);
            Ok(all - folded.max(0).min(all))
        })
    }

    /// Folds the WAL back as far as no reader needs it.
    pub(super) fn fold_wal(&self) -> rusqlite::Result<()> {
        let mut statement = self.inner.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
        statement.query_row([], |_| Ok(()))
    }

    /// Merges a part of the index of words, which leaves out those of lines that are gone. Answers
    /// whether there was something to merge.
    pub(super) fn merge_words(&self) -> rusqlite::Result<bool> {
        let before = self.inner.total_changes();
        self.execute(dialect::MERGE_WORDS)?;
        // The command itself counts as one.
        Ok(self.inner.total_changes() - before > 1)
    }

    /// Moves pages from the end of the file to free places, at most so many.
    pub(super) fn move_pages(&self, count: u32) -> rusqlite::Result<()> {
        self.execute(&format!("PRAGMA incremental_vacuum({count})"))
    }

    /// Runs a statement to its end, whatever rows it has.
    pub(super) fn execute(&self, text: &str) -> rusqlite::Result<()> {
        let mut statement = self.inner.prepare_cached(text)?;
        let mut rows = statement.raw_query();
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// The number that a query without values answers.
    pub(super) fn number(&self, text: &str) -> rusqlite::Result<i64> {
        self.inner.prepare_cached(text)?.query_row([], |row| row.get(0))
    }

    pub(super) fn limit_size(&self, bytes: u64) -> rusqlite::Result<()> {
        let page_size = self.number("PRAGMA page_size")?;
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page_size.max(1);
        self.inner.pragma_update(None, "max_page_count", pages)
    }

    fn run(&self, text: &str) -> rusqlite::Result<()> {
        self.inner.prepare_cached(text)?.raw_execute().map(|_| ())
    }
}

/// A transaction. Its statements stay at hand, since a large group runs the same few thousands of
/// times, and even a look into a cache would then be felt.
pub(crate) struct Session<'a> {
    inner: &'a rusqlite::Connection,
    at_hand: Vec<(usize, CachedStatement<'a>)>,
}

impl Session<'_> {
    fn with<T>(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
        run: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let prepare = || self.inner.prepare_cached(statement.numbered()).map_err(on_statement);
        let Some(number) = statement.number() else {
            let mut prepared = prepare()?;
            return run_bound(&mut prepared, values, run);
        };
        let place = match self.at_hand.iter().position(|(at_hand, _)| *at_hand == number) {
            Some(place) => place,
            None => {
                self.at_hand.push((number, prepare()?));
                self.at_hand.len() - 1
            }
        };
        run_bound(&mut self.at_hand[place].1, values, run)
    }
}

fn run_bound<T>(
    prepared: &mut rusqlite::Statement<'_>,
    values: &[Value<'_>],
    run: impl FnOnce(&mut rusqlite::Statement<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    for (index, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, value).map_err(on_statement)?;
    }
    run(prepared)
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

impl Connection for Session<'_> {
    fn lines() -> &'static LineDialect {
        &dialect::LINES
    }

    fn execute(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<usize, SqlError> {
        self.with(statement, values, |prepared| prepared.raw_execute().map_err(on_statement))
    }

    fn query(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        self.with(statement, values, |prepared| {
            let mut rows = prepared.raw_query();
            while let Some(row) = rows.next().map_err(on_statement)? {
                each(&SqliteRow(row))?;
            }
            Ok(())
        })
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
