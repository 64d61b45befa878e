//! Retention: runs that were over long ago go, with everything that hangs on them.

use std::collections::BTreeMap;

use windlass_core::Time;

use super::read::{Columns, all};
use super::runs::latest_id_of;
use super::{Connection, Driver, Row, SqlStore, Statement, Value};
use crate::error::StoreError;

/// A family goes from its eldest on, and nobody goes who has a child that is not over. Who was over
/// before a time was created before it, so nothing younger is looked at.
static FIND: Statement = Statement::new(
    "SELECT run.run_id, run.project, run.labels, run.last_seq FROM run
      WHERE run.run_id < $1 AND run.finished_at < $2
        AND run.status IN ('succeeded', 'failed', 'cancelled')
        AND NOT EXISTS (SELECT 1 FROM run AS parent WHERE parent.run_id = run.parent_run_id)
        AND NOT EXISTS (SELECT 1 FROM run AS child
                         WHERE child.parent_run_id = run.run_id AND child.finished_at IS NULL)
      ORDER BY run.run_id LIMIT $3",
);

static DELETE_LABEL: Statement = Statement::new(
    "DELETE FROM run_label WHERE project = $1 AND key = $2 AND value = $3 AND run_id = $4",
);

/// What is kept by run. Keys go by their own age, and messages when they are taken up.
static DELETE_BY_RUN: [Statement; 7] = [
    Statement::new("DELETE FROM blob_ref WHERE run_id = $1"),
    Statement::new("DELETE FROM journal WHERE run_id = $1"),
    Statement::new("DELETE FROM log WHERE run_id = $1"),
    Statement::new("DELETE FROM snapshot WHERE run_id = $1"),
    Statement::new("DELETE FROM step WHERE run_id = $1"),
    Statement::new("DELETE FROM timer WHERE run_id = $1"),
    Statement::new("DELETE FROM run WHERE run_id = $1"),
];

/// Events of all runs that are deleted at once, about. There are at most as many rows of other kinds.
const EVENTS_AT_ONCE: u64 = 20_000;

struct Old {
    run_id: String,
    project: String,
    labels: BTreeMap<String, String>,
    event_count: u64,
}

fn old(row: &dyn Row) -> Result<Old, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Old {
        run_id: columns.text()?,
        project: columns.text()?,
        labels: columns.opt_json()?.unwrap_or_default(),
        event_count: columns.int()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn delete_runs(&self, before: Time, limit: usize) -> Result<usize, StoreError> {
        let latest = latest_id_of(before);
        let values = [Value::Text(&latest), before.into(), limit.into()];
        // Mostly there is nothing to delete, and then nothing is written.
        if self.0.read(|connection| Ok(all(connection, &FIND, &values, old)?))?.is_empty() {
            return Ok(0);
        }
        let deleted = self.0.write(|connection| {
            let mut runs = all(connection, &FIND, &values, old)?;
            let mut event_count = 0;
            runs.retain(|run| {
                let is_room = event_count < EVENTS_AT_ONCE;
                event_count += run.event_count;
                is_room
            });
            let labels = runs.iter().flat_map(|run| {
                let row = |(key, value)| -> [Value<'_>; 4] {
                    let (key, value): (&String, &String) = (key, value);
                    [(&run.project).into(), key.into(), value.into(), (&run.run_id).into()]
                };
                run.labels.iter().map(row)
            });
            connection.execute_many(&DELETE_LABEL, labels)?;
            for statement in &DELETE_BY_RUN {
                let ids = runs.iter().map(|run| [Value::from(&run.run_id)]);
                connection.execute_many(statement, ids)?;
            }
            Ok(runs.len())
        });
        deleted.map_err(StoreError::from)
    }
}
