//! Journals and snapshots.

use uuid::Uuid;
use windlass_core::run::Event;

use super::blobs::{Filed, resolved};
use super::read::Columns;
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement};
use crate::blobs::Blobs;
use crate::error::StoreError;
use crate::rows::{NumberedEvent, Page, Snapshot};

static INSERT_CHUNK: Statement = Statement::new(
    "INSERT INTO journal (run_id, last_seq, first_seq, body) VALUES ($1, $2, $3, $4)",
);

static LAST_SEQ: Statement = Statement::new("SELECT MAX(last_seq) FROM journal WHERE run_id = $1");

static CHUNKS_BEHIND: Statement = Statement::new(
    "SELECT first_seq, body FROM journal
      WHERE run_id = $1 AND last_seq > $2 ORDER BY last_seq LIMIT $3",
);

static CHUNK_AROUND: Statement = Statement::new(
    "SELECT first_seq, body FROM journal
      WHERE run_id = $1 AND last_seq >= $2 ORDER BY last_seq LIMIT 1",
);

static REPLACE_SNAPSHOT: Statement = Statement::new(
    "INSERT INTO snapshot (run_id, seq, version, state) VALUES ($1, $2, $3, $4)
     ON CONFLICT (run_id) DO UPDATE
        SET seq = excluded.seq, version = excluded.version, state = excluded.state",
);

static DELETE_SNAPSHOT: Statement = Statement::new("DELETE FROM snapshot WHERE run_id = $1");

static FIND_SNAPSHOT: Statement =
    Statement::new("SELECT seq, version, state FROM snapshot WHERE run_id = $1 AND version = $2");

pub(super) fn insert_chunks(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
    filed: &Filed<'_>,
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.chunks).map(|(id, chunk)| {
        let body = filed.body(chunk);
        [id.value(), chunk.last_seq.into(), chunk.first_seq.into(), body.into()]
    });
    connection.execute_many(&INSERT_CHUNK, rows)
}

/// The number of the last event; 0 if there is no such run.
pub(super) fn last_seq(connection: &mut impl Connection, id: &IdText) -> Result<u64, SqlError> {
    largest(connection, &LAST_SEQ, id)
}

/// The numbers of the last events of many runs; 0 where there is no such run.
pub(super) fn last_seqs(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<Vec<u64>, SqlError> {
    let mut seqs = vec![0; runs.len()];
    let rows = runs.iter().map(|writing| [writing.id.value()]);
    connection.query_many(&LAST_SEQ, rows, &mut |place, row| {
        seqs[place] = seq_or_none(row)?;
        Ok(())
    })?;
    Ok(seqs)
}

/// The largest number that some rows of a run have; 0 if there is none.
pub(super) fn largest(
    connection: &mut impl Connection,
    statement: &Statement,
    id: &IdText,
) -> Result<u64, SqlError> {
    let mut largest = 0;
    connection.query(statement, &[id.value()], &mut |row| {
        largest = seq_or_none(row)?;
        Ok(())
    })?;
    Ok(largest)
}

fn seq_or_none(row: &dyn Row) -> Result<u64, StoreError> {
    Ok(Columns::of(row).opt_int()?.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0))
}

/// Writes the snapshots of runs that leave memory, and deletes those of runs that are over.
pub(super) fn replace_snapshots(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.snapshot).map(|(id, snapshot)| {
        [id.value(), snapshot.seq.into(), snapshot.version.into(), (&snapshot.state).into()]
    });
    connection.execute_many(&REPLACE_SNAPSHOT, rows)?;
    let dropped = runs.iter().filter(|it| it.run.drop_snapshot && it.run.snapshot.is_none());
    connection.execute_many(&DELETE_SNAPSHOT, dropped.map(|writing| [writing.id.value()]))
}

pub(super) fn find_snapshot(
    connection: &mut impl Connection,
    id: &IdText,
    version: u32,
) -> Result<Option<Snapshot>, SqlError> {
    let mut found = None;
    connection.query(&FIND_SNAPSHOT, &[id.value(), version.into()], &mut |row| {
        let mut columns = Columns::of(row);
        let (seq, version, state) = (columns.int()?, columns.int()?, columns.text()?);
        found = Some(Snapshot { seq, version, state });
        Ok(())
    })?;
    Ok(found)
}

/// How many chunks are read at once: few at first, since a page may be full with them, then more.
const CHUNKS_A_READ: [usize; 3] = [4, 32, 256];

/// Events behind `after`, until there are `limit` or their texts have `bytes_max`.
pub(super) fn events_behind(
    connection: &mut impl Connection,
    blobs: &Blobs,
    id: &IdText,
    after: u64,
    limit: usize,
    bytes_max: usize,
) -> Result<Page<NumberedEvent>, SqlError> {
    let mut page = Page { items: Vec::new(), has_more: false };
    let (mut bytes, mut behind) = (0, after);
    let [_, _, most] = CHUNKS_A_READ;
    for chunk_count in CHUNKS_A_READ.into_iter().chain(std::iter::repeat(most)) {
        let mut read = 0;
        let values = [id.value(), behind.into(), chunk_count.into()];
        connection.query(&CHUNKS_BEHIND, &values, &mut |row| {
            read += 1;
            if page.has_more || page.items.len() >= limit || bytes >= bytes_max {
                page.has_more = true;
                return Ok(());
            }
            let mut columns = Columns::of(row);
            let (first_seq, body): (u64, String) = (columns.int()?, columns.text()?);
            let body = resolved(blobs, body)?;
            bytes += body.len();
            for numbered in parse(first_seq, &body)? {
                behind = behind.max(numbered.seq);
                if numbered.seq <= after {
                    continue;
                }
                if page.items.len() >= limit {
                    page.has_more = true;
                    break;
                }
                page.items.push(numbered);
            }
            Ok(())
        })?;
        if page.has_more || read < chunk_count {
            break;
        }
    }
    Ok(page)
}

fn parse(first_seq: u64, body: &str) -> Result<Vec<NumberedEvent>, StoreError> {
    let events: Vec<Event> = serde_json::from_str(body).map_err(|error| {
        StoreError::Damaged(format!("event {first_seq} or one behind it cannot be read: {error}"))
    })?;
    Ok((first_seq..).zip(events).map(|(seq, event)| NumberedEvent { seq, event }).collect())
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_events(
        &self,
        run_id: Uuid,
        after: u64,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Page<NumberedEvent>, StoreError> {
        let id = IdText::of(run_id);
        let blobs = self.0.blobs();
        self.0
            .read(|connection| Ok(events_behind(connection, blobs, &id, after, limit, bytes_max)?))
    }

    /// Neighbours often stand in one chunk, so the last one read is kept at hand.
    pub(super) fn read_events_at(
        &self,
        run_id: Uuid,
        seqs: &[u64],
    ) -> Result<Vec<NumberedEvent>, StoreError> {
        let id = IdText::of(run_id);
        self.0.read(|connection| {
            let mut found = Vec::with_capacity(seqs.len());
            let mut at_hand: Vec<NumberedEvent> = Vec::new();
            for &seq in seqs {
                let covers = |events: &[NumberedEvent]| {
                    events.first().is_some_and(|first| first.seq <= seq)
                        && events.last().is_some_and(|last| last.seq >= seq)
                };
                if !covers(&at_hand) {
                    at_hand.clear();
                    connection.query(&CHUNK_AROUND, &[id.value(), seq.into()], &mut |row| {
                        let mut columns = Columns::of(row);
                        let (first_seq, body) = (columns.int()?, columns.text()?);
                        at_hand = parse(first_seq, &resolved(self.0.blobs(), body)?)?;
                        Ok(())
                    })?;
                }
                found.extend(at_hand.iter().find(|numbered| numbered.seq == seq).cloned());
            }
            Ok(found)
        })
    }
}
