//! Finding runs that have had their time, through an index that has them by workflow, outcome and
//! end. Each workflow and outcome is a stream of its own, and the streams are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::read::{Columns, all};
use super::runs::{COLUMNS, run_row};
use super::{Connection, Driver, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::expiry::Expiry;
use crate::rows::RunRow;

/// Jumps from one workflow to the next: there are few of them, however many runs.
static WORKFLOWS: Statement = Statement::new(
    "WITH RECURSIVE known (id) AS (
        SELECT MIN(workflow_id) FROM run
        UNION ALL
        SELECT (SELECT MIN(run.workflow_id) FROM run WHERE run.workflow_id > known.id)
          FROM known WHERE known.id IS NOT NULL)
     SELECT id, (SELECT run.workflow FROM run WHERE run.workflow_id = known.id
                  ORDER BY run.run_id LIMIT 1)
       FROM known WHERE id IS NOT NULL",
);

/// The oldest of those that are kept for being new.
static OLDEST_KEPT: Statement = Statement::new(
    "SELECT run_id FROM run WHERE workflow_id = $1 ORDER BY run_id DESC LIMIT 1 OFFSET $2",
);

/// A family goes from its eldest on, and nobody goes who has a child that is not over.
pub(super) const MAY_GO: &str = "run.finished_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM run AS parent WHERE parent.run_id = run.parent_run_id)
    AND NOT EXISTS (SELECT 1 FROM run AS child
                     WHERE child.parent_run_id = run.run_id AND child.finished_at IS NULL)";

/// Behind every id.
const NO_ID: &str = "~";

/// How many runs of a stream are read at once after the first one.
const RUNS_A_TURN: usize = 32;

/// Runs of one workflow that ended alike.
struct Stream {
    workflow_id: String,
    status: &'static str,
    /// Runs from this one on are kept.
    kept_from: String,
    /// The end and the id of the last run that was read.
    last: (i64, String),
}

/// A run by its end, with the place of its stream and whether it is the last one that was read of it.
type Next = (i64, String, usize, bool);

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_expired(
        &self,
        expiry: &Expiry,
        limit: usize,
    ) -> Result<Vec<RunRow>, StoreError> {
        self.0.read(|connection| {
            let mut streams = streams(connection, expiry)?;
            let ids = merge(connection, &mut streams, expiry, limit)?;
            let run = Statement::assembled(format!("SELECT {COLUMNS} FROM run WHERE run_id = $1"));
            let mut found = Vec::with_capacity(ids.len());
            connection.query_many(&run, ids.iter().map(|id| [id.into()]), &mut |_, row| {
                found.push(run_row(row)?);
                Ok(())
            })?;
            Ok(found)
        })
    }
}

fn streams(connection: &mut impl Connection, expiry: &Expiry) -> Result<Vec<Stream>, SqlError> {
    let named = |row: &dyn Row| {
        let mut columns = Columns::of(row);
        Ok((columns.text()?, columns.text()?))
    };
    let mut workflows = all(connection, &WORKFLOWS, &[], named)?;
    workflows.retain(|(_, name)| expiry.is_about(name));
    let keep = expiry.keep_newest.filter(|keep| *keep > 0);
    // Where no more are there than are kept, all are.
    let mut kept_from = vec![keep.is_none().then(|| NO_ID.to_owned()); workflows.len()];
    if let Some(keep) = keep {
        let rows = workflows.iter().map(|(id, _)| [id.into(), Value::from(keep - 1)]);
        connection.query_many(&OLDEST_KEPT, rows, &mut |place, row| {
            kept_from[place] = Some(Columns::of(row).text()?);
            Ok(())
        })?;
    }
    let outcomes = expiry.outcomes();
    let workflows = workflows.into_iter().zip(kept_from);
    let workflows = workflows.filter_map(|((id, _), kept_from)| Some((id, kept_from?)));
    let streams = workflows.flat_map(|(workflow_id, kept_from)| {
        outcomes.iter().map(move |status| Stream {
            workflow_id: workflow_id.clone(),
            status: status.as_str(),
            kept_from: kept_from.clone(),
            last: (i64::MIN, String::new()),
        })
    });
    Ok(streams.collect())
}

/// The ids of the first `limit` runs of all streams.
fn merge(
    connection: &mut impl Connection,
    streams: &mut [Stream],
    expiry: &Expiry,
    limit: usize,
) -> Result<Vec<String>, SqlError> {
    let (mut ids, mut next) = (Vec::new(), BinaryHeap::new());
    let every: Vec<usize> = (0..streams.len()).collect();
    read(connection, streams, &every, expiry, 1, &mut next)?;
    while ids.len() < limit {
        let Some(Reverse((_, id, place, is_last_read))) = next.pop() else { break };
        ids.push(id);
        if is_last_read {
            let turn = RUNS_A_TURN.min(limit - ids.len());
            read(connection, streams, &[place], expiry, turn, &mut next)?;
        }
    }
    Ok(ids)
}

/// Reads on in some streams.
fn read(
    connection: &mut impl Connection,
    streams: &mut [Stream],
    places: &[usize],
    expiry: &Expiry,
    turn: usize,
    next: &mut BinaryHeap<Reverse<Next>>,
) -> Result<(), SqlError> {
    // The index alone says who is kept for being new; the row is looked at for the others.
    let statement = Statement::assembled(format!(
        "SELECT ended.finished_at, ended.run_id FROM run AS ended CROSS JOIN run
          WHERE ended.workflow_id = $1 AND ended.status = $2 AND ended.finished_at < $3
            AND (ended.finished_at, ended.run_id) > ($4, $5) AND ended.run_id < $6
            AND run.run_id = ended.run_id AND {MAY_GO}
          ORDER BY ended.finished_at, ended.run_id LIMIT $7"
    ));
    let before = expiry.before.map_or(i64::MAX, |before| before.micros());
    let mut found: Vec<Next> = Vec::new();
    let rows = places.iter().map(|place| -> [Value<'_>; 7] {
        let Stream { workflow_id, status, kept_from, last: (end, id) } = &streams[*place];
        let (status, before, end) = ((*status).into(), before.into(), (*end).into());
        [workflow_id.into(), status, before, end, id.into(), kept_from.into(), turn.into()]
    });
    connection.query_many(&statement, rows, &mut |asked, row| {
        let mut columns = Columns::of(row);
        let (end, id) = (columns.int()?, columns.text()?);
        if let Some(earlier) = found.last_mut().filter(|earlier| earlier.2 == places[asked]) {
            earlier.3 = false;
        }
        found.push((end, id, places[asked], true));
        Ok(())
    })?;
    for (end, id, place, _) in &found {
        streams[*place].last = (*end, id.clone());
    }
    next.extend(found.into_iter().map(Reverse));
    Ok(())
}
