use uuid::Uuid;

use super::read::{Columns, all, page};
use super::{Driver, IdText, Row, SqlStore, Statement};
use crate::error::StoreError;
use crate::rows::{Admission, Page};

/// In the words of the index `run_in_line`, so that the planner sees that it applies.
static IN_LINE: Statement = Statement::new(
    "SELECT run_id, project, workflow_id, concurrency_key, concurrency_limit, priority, started_at
       FROM run
      WHERE (status = 'queued'
             OR concurrency_key IS NOT NULL AND status IN ('running', 'waiting', 'paused'))
        AND run_id > $1
      ORDER BY run_id LIMIT $2",
);

fn admission(row: &dyn Row) -> Result<Admission, StoreError> {
    let mut columns = Columns::of(row);
    Ok(Admission {
        run_id: columns.id()?,
        project: columns.text()?,
        workflow_id: columns.id()?,
        concurrency: columns.concurrency()?,
        priority: columns.priority()?,
        has_started: columns.opt_time()?.is_some(),
    })
}

impl<D: Driver> SqlStore<D> {
    pub(super) fn read_admissions(
        &self,
        after: Option<Uuid>,
        limit: usize,
    ) -> Result<Page<Admission>, StoreError> {
        let after = IdText::of(after.unwrap_or(Uuid::nil()));
        self.0.read(|connection| {
            let values = [after.value(), (limit + 1).into()];
            Ok(page(all(connection, &IN_LINE, &values, admission)?, limit))
        })
    }
}
