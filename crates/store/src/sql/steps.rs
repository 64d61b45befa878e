use std::collections::BTreeMap;

use uuid::Uuid;
use windlass_core::run::{Counts, StepStatus, path};

use super::read::{Columns, page};
use super::waves::{Writing, rows_of};
use super::{Connection, Driver, IdText, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::{Page, StepRow};

static INSERT_STEP: Statement = Statement::new(
    "INSERT INTO step (run_id, ordinal, path, kind, status, reason, attempt, queued_at, started_at,
                       finished_at, due_at, input_seq, end_seq)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
);

/// A later write may know nothing of the events of an earlier one: what it does not name stays.
static UPDATE_STEP: Statement = Statement::new(
    "UPDATE step SET status = $1, reason = $2, attempt = $3, started_at = $4, finished_at = $5,
                     due_at = $6, input_seq = COALESCE($7, input_seq),
                     end_seq = COALESCE($8, end_seq), queued_at = COALESCE($9, queued_at)
      WHERE run_id = $10 AND ordinal = $11",
);

static COUNT_STEPS: Statement =
    Statement::new("SELECT status, COUNT(*) FROM step WHERE run_id = $1 GROUP BY status");

static STEPS: Statement = Statement::new(
    "SELECT ordinal, path, kind, status, reason, attempt, queued_at, started_at, finished_at,
            due_at, input_seq, end_seq
       FROM step WHERE run_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
);

static STANDINGS: Statement = Statement::new("SELECT path, status FROM step WHERE run_id = $1");

pub(super) fn insert(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.new_steps).map(|(id, step)| {
        [
            id.value(),
            step.ordinal.into(),
            (&step.path).into(),
            (&step.kind).into(),
            step.status.as_str().into(),
            step.reason.as_deref().into(),
            step.attempt.into(),
            step.queued_at.into(),
            step.started_at.into(),
            step.finished_at.into(),
            step.due_at.into(),
            step.input_seq.into(),
            step.end_seq.into(),
        ]
    });
    connection.execute_many(&INSERT_STEP, rows)
}

pub(super) fn update(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let rows = rows_of(runs, |run| &run.changed_steps).map(|(id, step)| {
        [
            step.status.as_str().into(),
            step.reason.as_deref().into(),
            step.attempt.into(),
            step.started_at.into(),
            step.finished_at.into(),
            step.due_at.into(),
            step.input_seq.into(),
            step.end_seq.into(),
            step.queued_at.into(),
            id.value(),
            step.ordinal.into(),
        ]
    });
    connection.execute_many(&UPDATE_STEP, rows)
}

/// How many steps of a run stand where, given how many there are in all: a step whose turn has not
/// come has no row.
pub(super) fn count(
    connection: &mut impl Connection,
    id: &IdText,
    total: u32,
) -> Result<Counts, SqlError> {
    let mut counts = Counts::default();
    connection.query(&COUNT_STEPS, &[id.value()], &mut |row| {
        let mut columns = Columns::of(row);
        counts.add(columns.word(StepStatus::parse)?, columns.int()?);
        Ok(())
    })?;
    counts.add(StepStatus::Pending, total.saturating_sub(counts.total()));
    Ok(counts)
}

/// Steps behind an ordinal.
pub(super) fn behind(
    connection: &mut impl Connection,
    id: &IdText,
    after: Option<u32>,
    limit: usize,
) -> Result<Page<StepRow>, SqlError> {
    let mut steps = Vec::new();
    let after = after.map_or(-1, i64::from);
    let values = [id.value(), after.into(), (limit + 1).into()];
    connection.query(&STEPS, &values, &mut |row| {
        let mut columns = Columns::of(row);
        steps.push(StepRow {
            ordinal: columns.int()?,
            path: columns.text()?,
            kind: columns.text()?,
            status: columns.word(StepStatus::parse)?,
            reason: columns.opt_text()?,
            attempt: columns.int()?,
            queued_at: columns.opt_time()?,
            started_at: columns.opt_time()?,
            finished_at: columns.opt_time()?,
            due_at: columns.opt_time()?,
            input_seq: seq(columns.opt_int()?),
            end_seq: seq(columns.opt_int()?),
        });
        Ok(())
    })?;
    Ok(page(steps, limit))
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        let id = IdText::of(run_id);
        self.0.read(|connection| Ok(behind(connection, &id, after, limit)?))
    }
}

impl<D: Driver> SqlStore<D> {
    /// The grouping is done here and not by the database, because no SQL that both databases read
    /// takes the numbers out of a path.
    pub(super) fn read_standings(
        &self,
        run_id: Uuid,
    ) -> Result<BTreeMap<String, Counts>, StoreError> {
        let id = IdText::of(run_id);
        self.0.read(|connection| {
            let mut standings: BTreeMap<String, Counts> = BTreeMap::new();
            connection.query(&STANDINGS, &[id.value()], &mut |row| {
                let mut columns = Columns::of(row);
                let address = path::address_of(&columns.text()?);
                let status = columns.word(StepStatus::parse)?;
                standings.entry(address).or_default().add(status, 1);
                Ok(())
            })?;
            Ok(standings)
        })
    }
}

fn seq(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}
