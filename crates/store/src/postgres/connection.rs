//! A connection and its transactions. Statements that answer nothing are sent without waiting: a
//! group of runs costs a few turns to the server and back, however many runs and tables it has.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use tokio_postgres::{Client, Error};

use super::column::Column;
use super::dialect;
use super::errors::{ends_connection, on_commit, on_statement};
use crate::error::StoreError;
use crate::io::{Sent, wait};
use crate::sql::{Connection, LineDialect, Row, SqlError, Statement, Value};

/// How many statements put together at run time are kept prepared on one connection.
const ASSEMBLED_MAX: usize = 64;

type Request = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send>>;

pub(crate) struct PgConnection {
    client: Arc<Client>,
    /// By the statement's number, as it is and for many rows.
    prepared: HashMap<(usize, bool), tokio_postgres::Statement>,
    /// Those put together at run time, likewise, by their text.
    assembled: HashMap<bool, HashMap<String, tokio_postgres::Statement>>,
    /// What has been sent and not been heard of.
    sent: Vec<Sent<Request>>,
    is_broken: bool,
}

impl PgConnection {
    pub(super) fn new(client: Client) -> PgConnection {
        PgConnection {
            client: Arc::new(client),
            prepared: HashMap::new(),
            assembled: HashMap::new(),
            sent: Vec::new(),
            is_broken: false,
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.is_broken && !self.client.is_closed()
    }

    /// Sends fixed text that answers nothing, and does not wait.
    pub(super) fn say(&mut self, text: &'static str) {
        let client = self.client.clone();
        self.send(async move { client.batch_execute(text).await.map(|()| 0) });
    }

    /// The one row of a query without values, as texts.
    pub(super) fn ask(&mut self, text: &str) -> Result<Vec<String>, SqlError> {
        self.settle()?;
        let messages = wait(self.client.simple_query(text)).map_err(|error| self.failed(&error))?;
        let row = messages.into_iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.ok_or_else(|| StoreError::Damaged(format!("no answer to `{text}`")))?;
        Ok((0..row.len()).map(|column| row.get(column).unwrap_or("").to_owned()).collect())
    }

    pub(super) fn session(&mut self) -> Session<'_> {
        Session { connection: self }
    }

    /// Makes what was done in this transaction durable. The end is sent behind the statements
    /// without waiting for them: if one of them fails, Postgres makes a roll-back of it.
    pub(super) fn commit(&mut self) -> Result<(), SqlError> {
        let client = self.client.clone();
        let commit = Sent::new(async move { client.batch_execute("COMMIT").await });
        let written = self.settle();
        let committed = commit.answer();
        match (written, committed) {
            // Whether the commit has been heard is not known either.
            (Err(error), _) if self.is_broken => {
                let message = StoreError::from(error).to_string();
                Err(StoreError::OutcomeUnknown(message).into())
            }
            (Err(error), _) => Err(error),
            (Ok(_), Ok(())) => Ok(()),
            (Ok(_), Err(error)) => {
                // Whatever it was, the connection is not to be trusted with the next one.
                self.is_broken = true;
                Err(on_commit(&error).into())
            }
        }
    }

    /// Ends a transaction of which nothing is to remain.
    pub(super) fn roll_back(&mut self) {
        let _ = self.settle();
        self.say("ROLLBACK");
    }

    fn send(&mut self, request: impl Future<Output = Result<u64, Error>> + Send + 'static) {
        self.sent.push(Sent::new(Box::pin(request)));
    }

    /// Hears everything that was sent. Answers the first error, since the others follow from it,
    /// or the last number of rows.
    fn settle(&mut self) -> Result<u64, SqlError> {
        let mut result = Ok(0);
        for request in std::mem::take(&mut self.sent) {
            match request.answer() {
                Ok(count) if result.is_ok() => result = Ok(count),
                Err(error) => {
                    let error = self.failed(&error);
                    result = result.and(Err(error));
                }
                Ok(_) => {}
            }
        }
        result
    }

    fn failed(&mut self, error: &Error) -> SqlError {
        self.is_broken |= ends_connection(error);
        on_statement(error)
    }

    fn prepare(&mut self, statement: &Statement) -> Result<tokio_postgres::Statement, SqlError> {
        if let Some(prepared) = self.at_hand(statement, false) {
            return Ok(prepared);
        }
        let prepared = self.prepare_text(statement.text())?;
        self.keep(statement, false, &prepared);
        Ok(prepared)
    }

    /// The statement for many rows. What it is for one row says of which types the values are.
    fn prepare_many(
        &mut self,
        statement: &Statement,
    ) -> Result<tokio_postgres::Statement, SqlError> {
        if let Some(prepared) = self.at_hand(statement, true) {
            return Ok(prepared);
        }
        let single = self.prepare(statement)?;
        let types: Vec<String> = single.params().iter().map(|ty| ty.name().to_owned()).collect();
        let prepared = self.prepare_text(&dialect::many(statement.text(), &types))?;
        self.keep(statement, true, &prepared);
        Ok(prepared)
    }

    fn at_hand(&self, statement: &Statement, many: bool) -> Option<tokio_postgres::Statement> {
        let prepared = match statement.number() {
            Some(number) => self.prepared.get(&(number, many)),
            None => self.assembled.get(&many)?.get(statement.text()),
        };
        prepared.cloned()
    }

    fn keep(&mut self, statement: &Statement, many: bool, prepared: &tokio_postgres::Statement) {
        if let Some(number) = statement.number() {
            self.prepared.insert((number, many), prepared.clone());
            return;
        }
        let assembled = self.assembled.entry(many).or_default();
        if assembled.len() >= ASSEMBLED_MAX {
            assembled.clear();
        }
        assembled.insert(statement.text().to_owned(), prepared.clone());
    }

    fn prepare_text(&mut self, text: &str) -> Result<tokio_postgres::Statement, SqlError> {
        self.settle()?;
        wait(self.client.prepare(text)).map_err(|error| self.failed(&error))
    }

    fn rows<P>(
        &mut self,
        prepared: tokio_postgres::Statement,
        values: P,
    ) -> Result<Vec<tokio_postgres::Row>, SqlError>
    where
        P: IntoIterator,
        P::Item: tokio_postgres::types::BorrowToSql,
        P::IntoIter: ExactSizeIterator,
    {
        let client = self.client.clone();
        let query = Sent::new(async move {
            let stream = client.query_raw(&prepared, values).await?;
            futures_util::TryStreamExt::try_collect::<Vec<_>>(stream).await
        });
        self.settle()?;
        query.answer().map_err(|error| self.failed(&error))
    }
}

/// A connection for one transaction.
pub(crate) struct Session<'a> {
    connection: &'a mut PgConnection,
}

impl Connection for Session<'_> {
    fn lines() -> &'static LineDialect {
        &dialect::LINES
    }

    fn execute(&mut self, statement: &Statement, values: &[Value<'_>]) -> Result<usize, SqlError> {
        let prepared = self.connection.prepare(statement)?;
        let client = self.connection.client.clone();
        let executed = Sent::new(async move { client.execute_raw(&prepared, values).await });
        self.connection.settle()?;
        let count = executed.answer().map_err(|error| self.connection.failed(&error))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn query(
        &mut self,
        statement: &Statement,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let prepared = self.connection.prepare(statement)?;
        for row in self.connection.rows(prepared, values)? {
            each(&PgRow(&row))?;
        }
        Ok(())
    }

    fn execute_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        statement: &Statement,
        rows: impl Iterator<Item = R>,
    ) -> Result<(), SqlError> {
        let Some(columns) = columns(rows) else { return Ok(()) };
        let prepared = self.connection.prepare_many(statement)?;
        let client = self.connection.client.clone();
        self.connection.send(async move { client.execute_raw(&prepared, columns).await });
        Ok(())
    }

    fn query_many<'v, R: AsRef<[Value<'v>]>>(
        &mut self,
        statement: &Statement,
        rows: impl Iterator<Item = R>,
        each: &mut dyn FnMut(usize, &dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), SqlError> {
        let Some(columns) = columns(rows) else { return Ok(()) };
        let prepared = self.connection.prepare_many(statement)?;
        for row in self.connection.rows(prepared, columns)? {
            let row = PgRow(&row);
            let place = row.int(row.0.len() - 1)?.and_then(|place| usize::try_from(place - 1).ok());
            let place = place.ok_or_else(|| StoreError::Damaged("a row has no place".into()))?;
            each(place, &row)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SqlError> {
        self.connection.settle().map(|_| ())
    }
}

/// The values of each placeholder; `None` if there is no row.
fn columns<'v, R: AsRef<[Value<'v>]>>(rows: impl Iterator<Item = R>) -> Option<Vec<Column>> {
    let mut columns: Option<Vec<Column>> = None;
    for row in rows {
        let row = row.as_ref();
        let columns =
            columns.get_or_insert_with(|| row.iter().map(|_| Column::default()).collect());
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
    }
    columns
}

struct PgRow<'a>(&'a tokio_postgres::Row);

impl Row for PgRow<'_> {
    fn text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.0.try_get(column).map_err(|error| StoreError::Damaged(error.to_string()))
    }

    fn int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.0.try_get(column).map_err(|error| StoreError::Damaged(error.to_string()))
    }
}
