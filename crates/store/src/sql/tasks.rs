//! What somebody outside can claim or has claimed.

use uuid::Uuid;

use super::read::{Columns, all, page};
use super::waves::{Writing, rounds, rows_of};
use super::{Connection, Driver, IdText, Row, SqlError, SqlStore, Statement, Value};
use crate::error::StoreError;
use crate::rows::Page;
use crate::tokens::TaskRow;

static SET: Statement = Statement::new(
    "INSERT INTO task (task_id, run_id, path, project, queue, kind, title, priority, fairness_key,
                       offered_at, attempt, fence, holder, claimed_at, lease_micros, form, input)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
     ON CONFLICT (task_id) DO UPDATE
        SET queue = excluded.queue, kind = excluded.kind, title = excluded.title,
            priority = excluded.priority, fairness_key = excluded.fairness_key,
            offered_at = excluded.offered_at, attempt = excluded.attempt, fence = excluded.fence,
            holder = excluded.holder, claimed_at = excluded.claimed_at,
            lease_micros = excluded.lease_micros, form = excluded.form, input = excluded.input",
);

static CLEAR: Statement = Statement::new("DELETE FROM task WHERE task_id = $1 AND run_id = $2");

static BY_ID: Statement = Statement::new(
    "SELECT task_id, run_id, path, project, queue, kind, title, priority, fairness_key, offered_at,
            attempt, fence, holder, claimed_at, lease_micros, form, input
       FROM task WHERE task_id = $1",
);

static BEHIND: Statement = Statement::new(
    "SELECT task_id, run_id, path, project, queue, kind, title, priority, fairness_key, offered_at,
            attempt, fence, holder, claimed_at, lease_micros, form, input
       FROM task WHERE task_id > $1 ORDER BY task_id LIMIT $2",
);

pub(super) fn set(connection: &mut impl Connection, runs: &[Writing<'_>]) -> Result<(), SqlError> {
    let texts = rows_of(runs, |run| &run.tasks_set).map(|(run_id, task)| {
        let task = task.clone().safe();
        let (form, input) = (&task.form, &task.input);
        let json =
            (form.as_ref().map(ToString::to_string), input.as_ref().map(ToString::to_string));
        (run_id, IdText::of(task.task_id), json, task)
    });
    let texts: Vec<_> = texts.collect();
    for round in rounds(&texts, |(_, _, _, task)| task.task_id) {
        let rows = round.into_iter().map(|(run_id, id, (form, input), task)| {
            [
                id.value(),
                run_id.value(),
                (&task.path).into(),
                (&task.project).into(),
                (&task.queue).into(),
                (&task.kind).into(),
                (&task.title).into(),
                task.priority.into(),
                (&task.fairness_key).into(),
                task.offered_at.into(),
                task.attempt.into(),
                task.fence.into(),
                task.holder.as_deref().into(),
                task.claimed_at.into(),
                task.lease_micros.into(),
                form.as_deref().into(),
                input.as_deref().into(),
            ]
        });
        connection.execute_many(&SET, rows)?;
    }
    Ok(())
}

pub(super) fn clear(
    connection: &mut impl Connection,
    runs: &[Writing<'_>],
) -> Result<(), SqlError> {
    let ids = rows_of(runs, |run| &run.tasks_cleared);
    let ids: Vec<_> = ids.map(|(run_id, task_id)| (IdText::of(*task_id), run_id)).collect();
    connection.execute_many(&CLEAR, ids.iter().map(|(id, run_id)| [id.value(), run_id.value()]))
}

fn task(row: &dyn Row) -> Result<TaskRow, StoreError> {
    let mut columns = Columns::of(row);
    Ok(TaskRow {
        task_id: columns.id()?,
        run_id: columns.id()?,
        path: columns.text()?,
        project: columns.text()?,
        queue: columns.text()?,
        kind: columns.text()?,
        title: columns.text()?,
        priority: columns.int()?,
        fairness_key: columns.text()?,
        offered_at: columns.time()?,
        attempt: columns.int()?,
        fence: columns.int()?,
        holder: columns.opt_text()?,
        claimed_at: columns.opt_time()?,
        lease_micros: columns.opt_int()?,
        form: columns.opt_json()?,
        input: columns.opt_json()?,
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_tasks(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<TaskRow>, StoreError> {
        // In front of all ids.
        let after = after.map(IdText::of);
        let after = after.as_ref().map_or(Value::Text(""), IdText::value);
        let values = [after, limit.saturating_add(1).into()];
        self.0.read(|connection| Ok(page(all(connection, &BEHIND, &values, task)?, limit)))
    }

    pub(super) fn read_task(&self, task_id: Uuid) -> Result<Option<TaskRow>, StoreError> {
        let id = IdText::of(task_id);
        self.0.read(|connection| Ok(all(connection, &BY_ID, &[id.value()], task)?.pop()))
    }
}
