use uuid::Uuid;
use windlass_core::run::StepStatus;

use super::read::{Columns, page};
use super::{Connection, Driver, IdText, SqlError, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::{Page, StepRow};

/// A later write may know nothing of the events of an earlier one: what it does not name stays.
static UPSERT_STEP: Statement = Statement::new(
    "INSERT INTO step (run_id, ordinal, path, kind, status, reason, attempt, queued_at, started_at,
                       finished_at, due_at, input_seq, end_seq)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (run_id, ordinal) DO UPDATE
        SET kind = excluded.kind, status = excluded.status, reason = excluded.reason,
            attempt = excluded.attempt, queued_at = excluded.queued_at,
            started_at = excluded.started_at, finished_at = excluded.finished_at,
            due_at = excluded.due_at,
            input_seq = COALESCE(excluded.input_seq, step.input_seq),
            end_seq = COALESCE(excluded.end_seq, step.end_seq)",
);

static STEPS: Statement = Statement::new(
    "SELECT ordinal, path, kind, status, reason, attempt, queued_at, started_at, finished_at,
            due_at, input_seq, end_seq
       FROM step WHERE run_id = $1 AND ordinal > $2 ORDER BY ordinal LIMIT $3",
);

pub(super) fn upsert(
    connection: &mut impl Connection,
    id: &IdText,
    steps: &[StepRow],
) -> Result<(), SqlError> {
    for step in steps {
        connection.execute(
            &UPSERT_STEP,
            &[
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
            ],
        )?;
    }
    Ok(())
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_steps(
        &self,
        run_id: Uuid,
        after: Option<u32>,
        limit: usize,
    ) -> Result<Page<StepRow>, StoreError> {
        let id = IdText::of(run_id);
        let after = after.map_or(-1, i64::from);
        self.0.read(|connection| {
            let mut steps = Vec::new();
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
        })
    }
}

fn seq(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}
