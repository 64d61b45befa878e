use windlass_core::Time;

use super::read::Columns;
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::TimerRow;

static SET_TIMER: Statement = Statement::new(
    "INSERT INTO timer (run_id, path, due_at) VALUES ($1, $2, $3)
     ON CONFLICT (run_id, path) DO UPDATE SET due_at = excluded.due_at",
);

static CLEAR_TIMER: Statement = Statement::new("DELETE FROM timer WHERE run_id = $1 AND path = $2");

static DUE_TIMERS: Statement = Statement::new(
    "SELECT due_at, run_id, path FROM timer WHERE due_at <= $1
      ORDER BY due_at, run_id, path LIMIT $2",
);

pub(super) fn set(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.timers_set)
        .map(|(id, (path, due_at))| [id.value(), path.into(), (*due_at).into()]);
    connection.execute_many(&SET_TIMER, rows)
}

pub(super) fn clear(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.timers_cleared).map(|(id, path)| [id.value(), path.into()]);
    connection.execute_many(&CLEAR_TIMER, rows)
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_due_timers(
        &self,
        until: Time,
        limit: usize,
    ) -> Result<Vec<TimerRow>, StoreError> {
        self.0.read(|connection| {
            let mut timers = Vec::new();
            connection.query(&DUE_TIMERS, &[until.into(), limit.into()], &mut |row| {
                let mut columns = Columns::of(row);
                let (due_at, run_id, path) = (columns.time()?, columns.id()?, columns.text()?);
                timers.push(TimerRow { due_at, run_id, path });
                Ok(())
            })?;
            Ok(timers)
        })
    }
}
