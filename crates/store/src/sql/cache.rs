//! Outputs that may be used again.

use windlass_core::Time;

use super::commit::prove_epoch;
use super::read::{Columns, all};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, Row, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::CacheRow;

static PUT: Statement = Statement::new(
    "INSERT INTO cache (project, key, run_id, seq, expires_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (project, key) DO UPDATE
        SET run_id = excluded.run_id, seq = excluded.seq, expires_at = excluded.expires_at",
);

static GET: Statement = Statement::new(
    "SELECT project, key, run_id, seq, expires_at FROM cache
      WHERE project = $1 AND key = $2 AND expires_at > $3",
);

static PRUNE: Statement = Statement::new(
    "DELETE FROM cache WHERE (project, key) IN
        (SELECT project, key FROM cache WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
);

pub(super) fn put(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.cached).map(|(id, row)| {
        let CacheRow { project, key, seq, expires_at, .. } = row;
        [project.into(), key.into(), id.value(), (*seq).into(), (*expires_at).into()]
    });
    connection.execute_many(&PUT, rows)
}

fn cached(row: &dyn Row) -> Result<CacheRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(CacheRow {
        project: columns.text()?,
        key: columns.text()?,
        run_id: columns.id()?,
        seq: columns.int()?,
        expires_at: columns.time()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_cached(
        &self,
        project: &str,
        key: &str,
        now: Time,
    ) -> Result<Option<CacheRow>, StoreError> {
        self.0.read(|connection| {
            Ok(all(connection, &GET, &[project.into(), key.into(), now.into()], cached)?.pop())
        })
    }

    pub(super) fn delete_cached(
        &self,
        epoch: i64,
        now: Time,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let delete = |connection: &mut D::Connection<'_>| {
            prove_epoch(connection, epoch)?;
            connection.execute(&PRUNE, &[now.into(), limit.into()])
        };
        self.0.write(delete).map_err(StoreError::from)
    }
}
