//! Messages between runs, which stand in the outbox until they are taken up.

use uuid::Uuid;
use windlass_core::Time;

use super::read::{Columns, all, page};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::message::{Message, MessageKey};
use crate::rows::Page;

static SEND: Statement = Statement::new(
    "INSERT INTO outbox (target, source, path, word, body, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (target, source, path, word) DO NOTHING",
);

static RECEIVE: Statement = Statement::new(
    "DELETE FROM outbox WHERE target = $1 AND source = $2 AND path = $3 AND word = $4",
);

static WAITING: Statement = Statement::new(
    "SELECT target, source, path, word, body, created_at FROM outbox
      WHERE (created_at, target, source, path, word) > ($1, $2, $3, $4, $5)
      ORDER BY created_at, target, source, path, word LIMIT $6",
);

/// Takes away what the runs have received, then adds what they send.
pub(super) fn exchange(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let received = rows_of(runs, |run| &run.received)
        .map(|(_, key)| (IdText::of(key.target), IdText::of(key.source), key));
    let received: Vec<_> = received.collect();
    let rows = received.iter().map(|(target, source, key)| {
        [target.value(), source.value(), (&key.path).into(), (&key.word).into()]
    });
    connection.execute_many(&RECEIVE, rows)?;
    let sent = rows_of(runs, |run| &run.messages)
        .map(|(_, message)| (IdText::of(message.target), IdText::of(message.source), message));
    let sent: Vec<_> = sent.collect();
    let rows = sent.iter().map(|(target, source, message)| {
        [
            target.value(),
            source.value(),
            (&message.path).into(),
            (&message.word).into(),
            (&message.body).into(),
            message.created_at.into(),
        ]
    });
    connection.execute_many(&SEND, rows)
}

fn message(row: &dyn Row) -> Result<Message, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Message {
        target: columns.id()?,
        source: columns.id()?,
        path: columns.text()?,
        word: columns.text()?,
        body: columns.text()?,
        created_at: columns.time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_messages(
        &self,
        after: Option<(Time, MessageKey)>,
        limit: usize,
    ) -> Result<Page<Message>, StoreError> {
        let first = || {
            let (path, word) = (String::new(), String::new());
            let key = MessageKey { target: Uuid::nil(), source: Uuid::nil(), path, word };
            (Time::from_micros(i64::MIN), key)
        };
        let (at, MessageKey { target, source, path, word }) = after.unwrap_or_else(first);
        let (target, source) = (IdText::of(target), IdText::of(source));
        self.0.read(|connection| {
            let values = [
                at.into(),
                target.value(),
                source.value(),
                (&path).into(),
                (&word).into(),
                (limit + 1).into(),
            ];
            Ok(page(all(connection, &WAITING, &values, message)?, limit))
        })
    }
}
