//! The store over SQL. The text is written once, here; a driver says how to run it.
//!
//! Placeholders are `$1`, `$2`, …: Postgres reads them as they are, and [`Statement::numbered`]
//! gives SQLite its `?1`, since SQLite numbers `$1` by where it first appears.
//!
//! Not here: connections, transactions, locks (`sqlite`, `postgres`).

mod access;
mod actors;
mod admissions;
mod analytics;
mod api_keys;
mod asks;
mod assignments;
mod audit;
pub(crate) mod blobs;
mod cache;
mod commit;
mod definitions;
mod expiry;
mod instances;
mod interventions;
mod journal;
mod labels;
mod logs;
mod memories;
mod messages;
pub(crate) mod migrate;
mod old_logs;
mod read;
mod renamed;
mod retention;
mod run_list;
mod run_search;
mod runs;
mod secrets;
mod settings;
mod steps;
mod store;
mod tasks;
mod timers;
mod tokens;
pub(crate) mod transfer;
mod unit_groups;
mod unit_list;
mod units;
mod usage;
mod waves;

use std::borrow::Cow;
use std::sync::OnceLock;

use uuid::Uuid;
use windlass_core::Time;

use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::rows::Spent;
use crate::words::Term;

/// A store over some SQL database.
pub(crate) struct SqlStore<D>(pub(crate) D);

/// A database.
pub(crate) trait Driver: Send + Sync + 'static {
    type Connection<'a>: Connection;

    /// Runs `work` on a connection that only reads, and sees one state of the database.
    fn read<T>(
        &self,
        work: impl FnOnce(&mut Self::Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError>;

    /// Runs `work` in a transaction that no other writer can come between, and returns when it is
    /// durable. Nothing is written if `work` fails.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Self::Connection<'_>) -> Result<T, SqlError>,
    ) -> Result<T, SqlError>;

    /// Where texts are that are too large for a row.
    fn blobs(&self) -> &Blobs;

    /// See [`crate::Store::tidy`].
    fn tidy(&self) -> Result<bool, StoreError>;

    /// See [`crate::Store::spent`].
    fn spent(&self) -> Spent;
}

/// A connection to a database, for one transaction.
pub(crate) trait Connection {
    /// How the database finds log lines by their words.
    fn lines() -> &'static LineDialect;

    /// Runs a statement, and answers how many rows it touched.
    fn execute(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<usize, SqlError>;

    /// Runs a query, and hands over its rows one by one.
    fn query(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError>;

    /// Runs a statement once for each row of values. No row depends on what another one does. A
    /// refusal may come to light only later in the transaction, at the latest with
    /// [`Connection::flush`].
    fn execute_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        statement: &Statement,
        rows: impl Iterator<Item = R>,
    ) -> Result<(), SqlError> {
        for values in rows {
            self.execute(statement, values.as_ref())?;
        }
        Ok(())
    }

    /// Runs a query once for each row of values, and hands over what it finds with the place of
    /// those values.
    fn query_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        statement: &Statement,
        rows: impl Iterator<Item = R>,
        each: &mut dyn FnMut(usize, &dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        for (place, values) in rows.enumerate() {
            self.query(statement, values.as_ref(), &mut |row| each(place, row))?;
        }
        Ok(())
    }

    /// Waits until all that was said so far has been done, and answers whether it was refused.
    fn flush(&mut self) -> Result<(), SqlError> {
        Ok(())
    }
}

/// What a database has to say about log lines in words of its own.
pub(crate) struct LineDialect {
    /// What makes the index of words. It belongs to migration 13, and changes as little.
    pub(crate) create: &'static [&'static str],
    /// Writes a line: `$1` its words, then the columns of its row.
    pub(crate) insert: Statement,
    /// Writes the words `$2` of the line `$1`, if its row does not have them.
    pub(crate) index: Option<Statement>,
    /// The tables that lines are found in.
    pub(crate) found: &'static str,
    /// Whether a line is what the question `$1` asks for.
    pub(crate) condition: &'static str,
    /// A found line's number, by which the index can go through lines.
    pub(crate) line_id: &'static str,
    /// Puts a question for all of some words, none of which has more than letters and digits.
    pub(crate) question: fn(&[Term]) -> String,
}

/// A row of an answer. Columns are counted from 0.
pub(crate) trait Row {
    fn text(&self, column: usize) -> Result<Option<String>, StoreError>;
    fn int(&self, column: usize) -> Result<Option<i64>, StoreError>;
}

/// A value for a placeholder.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Int(i64),
    Null,
}

/// Why a statement failed.
#[derive(Debug)]
pub(crate) enum SqlError {
    /// A key is taken or a rule broken: the statement will fail again.
    Constraint(String),
    /// Something else.
    Store(StoreError),
}

impl From<StoreError> for SqlError {
    fn from(error: StoreError) -> SqlError {
        SqlError::Store(error)
    }
}

impl From<SqlError> for StoreError {
    fn from(error: SqlError) -> StoreError {
        match error {
            SqlError::Constraint(message) => StoreError::Damaged(message),
            SqlError::Store(error) => error,
        }
    }
}

/// An SQL statement.
pub(crate) struct Statement {
    text: Cow<'static, str>,
    numbered: OnceLock<String>,
}

impl Statement {
    pub(crate) const fn new(text: &'static str) -> Statement {
        Statement { text: Cow::Borrowed(text), numbered: OnceLock::new() }
    }

    /// A statement put together at run time, out of fixed parts only.
    pub(crate) fn assembled(text: String) -> Statement {
        Statement { text: Cow::Owned(text), numbered: OnceLock::new() }
    }

    /// A number that this statement has for as long as the process lives; `None` if it was put
    /// together at run time.
    pub(crate) fn number(&self) -> Option<usize> {
        match &self.text {
            Cow::Borrowed(text) => Some(text.as_ptr().addr()),
            Cow::Owned(_) => None,
        }
    }

    /// The text as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text with `?1` for `$1`. No text of ours has a `$` elsewhere.
    pub(crate) fn numbered(&self) -> &str {
        self.numbered.get_or_init(|| self.text.replace('$', "?"))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Value<'a> {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Value<'a> {
        Value::Text(text)
    }
}

impl From<Time> for Value<'_> {
    fn from(time: Time) -> Self {
        Value::Int(time.micros())
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<i32> for Value<'_> {
    fn from(value: i32) -> Self {
        Value::Int(i64::from(value))
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Value::Int(i64::from(value))
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        // Counts and numbers of events; the limits keep them far below.
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value<'_> {
    fn from(value: usize) -> Self {
        Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Value<'a> {
        value.map_or(Value::Null, Into::into)
    }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("rows of ours have only text keys")
}

/// An id as text, without an allocation.
pub(crate) struct IdText([u8; 36]);

impl IdText {
    pub(crate) fn of(id: Uuid) -> IdText {
        let mut text = [0; 36];
        id.hyphenated().encode_lower(&mut text);
        IdText(text)
    }

    pub(crate) fn value(&self) -> Value<'_> {
        Value::Text(std::str::from_utf8(&self.0).unwrap_or(""))
    }
}
