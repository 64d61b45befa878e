//! Retention: runs that have had their time go, with everything that hangs on them.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use windlass_core::Time;

use super::commit::prove_epoch;
use super::expiry::MAY_GO;
use super::labels::{self, LabelRow};
use super::read::Columns;
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::expiry::REASON_DELETING;

static MARK: Statement = Statement::new("UPDATE run SET reason = $1 WHERE run_id = $2");

/// A key would lead to a run that is not there. It was used when the run was created.
static DELETE_KEY: Statement =
    Statement::new("DELETE FROM idempotency_key WHERE used_at = $1 AND run_id = $2");

/// What is kept by run. Messages go when they are taken up.
static DELETE_BY_RUN: [Statement; 11] = [
    Statement::new("DELETE FROM blob_ref WHERE run_id = $1"),
    Statement::new("DELETE FROM journal WHERE run_id = $1"),
    Statement::new("DELETE FROM log_line WHERE run_id = $1"),
    Statement::new("DELETE FROM snapshot WHERE run_id = $1"),
    Statement::new("DELETE FROM step WHERE run_id = $1"),
    Statement::new("DELETE FROM timer WHERE run_id = $1"),
    Statement::new("DELETE FROM ask WHERE run_id = $1"),
    Statement::new("DELETE FROM unit WHERE run_id = $1"),
    Statement::new("DELETE FROM task WHERE run_id = $1"),
    Statement::new("DELETE FROM intervention WHERE run_id = $1"),
    Statement::new("DELETE FROM run WHERE run_id = $1"),
];

/// The first rows of a large run, table by table. Its journal goes last: without that it could not
/// be shown at all.
static DELETE_FIRST: [Statement; 4] = [
    Statement::new(
        "DELETE FROM log_line WHERE run_id = $1
            AND log_seq < (SELECT MIN(log_seq) FROM log_line WHERE run_id = $1) + $2",
    ),
    Statement::new(
        "DELETE FROM step WHERE run_id = $1
            AND ordinal < (SELECT MIN(ordinal) FROM step WHERE run_id = $1) + $2",
    ),
    Statement::new(
        "DELETE FROM unit WHERE run_id = $1
            AND ordinal < (SELECT MIN(ordinal) FROM unit WHERE run_id = $1) + $2",
    ),
    Statement::new(
        "DELETE FROM journal WHERE run_id = $1
            AND last_seq < (SELECT MIN(first_seq) FROM journal WHERE run_id = $1) + $2",
    ),
];

/// Events and log lines that are deleted in one transaction, about: commits wait for it.
const ROWS_AT_ONCE: i64 = 20_000;

struct Old {
    run_id: String,
    project: String,
    labels: BTreeMap<String, String>,
    created_at: Time,
    rows: i64,
}

fn old(row: &dyn Row) -> Result<Old, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Old {
        run_id: columns.text()?,
        project: columns.text()?,
        labels: columns.opt_json()?.unwrap_or_default(),
        created_at: columns.time()?,
        rows: columns.int::<i64>()? + columns.opt_int()?.unwrap_or(0),
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn remove_runs(&self, epoch: i64, runs: &[Uuid]) -> Result<usize, StoreError> {
        let deleted = self.0.write(|connection| {
            prove_epoch(connection, epoch)?;
            let mut runs = that_may_go(connection, runs)?;
            let Some(first) = runs.first() else { return Ok(0) };
            if first.rows > ROWS_AT_ONCE && delete_first(connection, &first.run_id)? {
                let values = [REASON_DELETING.into(), (&first.run_id).into()];
                connection.execute(&MARK, &values)?;
                return Ok(1);
            }
            // One at least, and then as many as there is room for.
            let mut rows = 0;
            let fit = runs.iter().take_while(|run| {
                rows += run.rows;
                rows <= ROWS_AT_ONCE
            });
            let count = fit.count().max(1);
            runs.truncate(count);
            delete(connection, &runs)?;
            Ok(runs.len())
        });
        deleted.map_err(StoreError::from)
    }
}

/// Those of some runs that may go, each once.
fn that_may_go(connection: &mut impl Connection, runs: &[Uuid]) -> Result<Vec<Old>, SqlError> {
    let find = Statement::assembled(format!(
        "SELECT run.run_id, run.project, run.labels, run.created_at, run.last_seq,
                (SELECT MAX(log_line.log_seq) FROM log_line WHERE log_line.run_id = run.run_id)
           FROM run
          WHERE run.run_id = $1 AND run.status IN ('succeeded', 'failed', 'cancelled') AND {MAY_GO}"
    ));
    let mut seen = BTreeSet::new();
    let once = runs.iter().filter(|run_id| seen.insert(**run_id));
    let ids: Vec<IdText> = once.map(|run_id| IdText::of(*run_id)).collect();
    let mut found = Vec::with_capacity(ids.len());
    connection.query_many(&find, ids.iter().map(|id| [id.value()]), &mut |_, row| {
        found.push(old(row)?);
        Ok(())
    })?;
    Ok(found)
}

/// Deletes the first rows of a run. Answers whether it had any.
fn delete_first(connection: &mut impl Connection, run_id: &str) -> Result<bool, SqlError> {
    for statement in &DELETE_FIRST {
        if connection.execute(statement, &[run_id.into(), ROWS_AT_ONCE.into()])? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn delete(connection: &mut impl Connection, runs: &[Old]) -> Result<(), SqlError> {
    let labels = runs.iter().flat_map(|run| {
        run.labels.iter().map(|(key, value)| -> LabelRow<'_> {
            [(&run.project).into(), key.into(), value.into(), (&run.run_id).into()]
        })
    });
    labels::delete(connection, labels)?;
    let keys = runs.iter().map(|run| [run.created_at.into(), Value::from(&run.run_id)]);
    connection.execute_many(&DELETE_KEY, keys)?;
    for statement in &DELETE_BY_RUN {
        connection.execute_many(statement, runs.iter().map(|run| [Value::from(&run.run_id)]))?;
    }
    Ok(())
}
